// The grid in our own tokens: they are CSS variables, so that it follows light and dark by itself.
import { themeQuartz } from "ag-grid-community";

export const theme = themeQuartz.withParams({
  accentColor: "var(--accent)",
  backgroundColor: "var(--surface)",
  foregroundColor: "var(--text)",
  borderColor: "var(--border)",
  browserColorScheme: "inherit",
  fontFamily: "var(--font)",
  fontSize: 13,
  headerFontSize: 13,
  headerFontWeight: 600,
  headerBackgroundColor: "var(--surface-sunk)",
  headerTextColor: "var(--text-soft)",
  oddRowBackgroundColor: "var(--surface)",
  rowHoverColor: "var(--surface-hover)",
  rowHeight: 30,
  headerHeight: 44,
  paginationPanelHeight: 44,
  cellHorizontalPadding: 12,
  headerColumnBorder: { color: "var(--border)" },
  columnBorder: false,
  wrapperBorder: false,
  wrapperBorderRadius: 0,
  spacing: 6,
});
