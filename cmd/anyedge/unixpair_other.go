//go:build !linux

package main

// pairKind is for Linux; elsewhere there are no upgrades.
const pairKind = 0
