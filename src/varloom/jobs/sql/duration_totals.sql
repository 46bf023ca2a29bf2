SELECT what, stage, at_most, endings FROM duration_totals ORDER BY what, stage, at_most
