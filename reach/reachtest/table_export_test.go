package reachtest

// FormatTable parses a table and prints it.
func FormatTable(text string) (string, error) {
	tab, err := parseTable("table", text)
	if err != nil {
		return "", err
	}
	return tab.String(), nil
}

// TableParts returns the lines of a table, but for how they are laid out.
func TableParts(text string) ([][]string, error) {
	tab, err := parseTable("table", text)
	if err != nil {
		return nil, err
	}
	var lines [][]string
	for _, l := range tab.lines {
		parts := []string{l.comment}
		for _, x := range l.cells {
			parts = append(parts, x.String())
		}
		lines = append(lines, parts)
	}
	return lines, nil
}
