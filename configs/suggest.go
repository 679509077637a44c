package configs

import (
	"cmp"
	"slices"
	"strings"
)

// didYouMean is "; did you mean …" with the known name that is nearest to got, or nothing where none is near.
func didYouMean(got string, known []string) string {
	if best := nearest(got, known); best != "" {
		return `; did you mean "` + best + `"?`
	}
	return ""
}

// maxName is the longest name that is compared with others.
const maxName = 64

// nearest is the known name that takes the fewest edits, a third of got's letters at most; else one that got begins or
// that begins with got; else nothing.
func nearest(got string, known []string) string {
	if len(got) > maxName {
		return ""
	}
	best, distance := "", (len(got)+2)/3+1
	for _, k := range known {
		d := editDistance(got, k, distance)
		if d < len(got) && (d < distance || d == distance && best != "" && k < best) {
			best, distance = k, d
		}
	}
	if best == "" {
		return extended(got, known)
	}
	return best
}

// extended is the first known name that is a longer form of got, or a shorter one.
func extended(got string, known []string) string {
	const least = 3
	best := ""
	for _, k := range known {
		akin := strings.HasPrefix(k, got) || strings.HasPrefix(got, k)
		if akin && min(len(k), len(got)) >= least && (best == "" || k < best) {
			best = k
		}
	}
	return best
}

// editDistance is Levenshtein's, how many characters to insert, delete or replace; or some number above most.
func editDistance(a, b string, most int) int {
	if n := len(a) - len(b); n > most || -n > most {
		return most + 1
	}
	var buffer [maxName + 32]int
	row := append(buffer[:0], 0)
	for j := range len(b) {
		row = append(row, j+1)
	}
	for i := range len(a) {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return least
		}
	}
	return row[len(b)]
}

// elsewhere is "; it belongs to …" with the one or two places in the schema for key that are nearest to path, or nothing.
func elsewhere(key, path string) string {
	var places []string
	for _, k := range schema() {
		if k.path == key || strings.HasSuffix(k.path, "."+key) {
			places = append(places, k.path)
		}
	}
	if len(places) == 0 {
		return ""
	}
	slices.SortFunc(places, func(a, b string) int {
		return cmp.Or(-cmp.Compare(common(a, path), common(b, path)), cmp.Compare(a, b))
	})
	return "; it belongs to " + strings.Join(places[:min(len(places), 2)], " or ")
}

// common is how many characters a and b begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
