// Package cache is a shared HTTP cache.
package cache
