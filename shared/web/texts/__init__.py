"""English texts for codes: errors and their titles, reasons with what to do, lines of a check."""
