SELECT what, stage, outcome, code, endings, seconds FROM ending_totals ORDER BY what, stage, outcome, code
