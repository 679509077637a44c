package configs

import "slices"

// didYouMean is "; did you mean …" with the known name that is nearest to got, or nothing where none is near.
func didYouMean(got string, known []string) string {
	if best := nearest(got, known); best != "" {
		return `; did you mean "` + best + `"?`
	}
	return ""
}

// nearest is the known name that takes the fewest edits, or nothing where none is near.
func nearest(got string, known []string) string {
	best, distance := "", len(got)/2+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(got, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's: how many characters to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
