//! Tables on standard output: lines above and below the header, no wider than a screen.

use std::ops::Range;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// The widest that a table gets on any screen, and where there is none: longer lines are hard to follow.
const WIDEST: u16 = 120;

/// No line between rows: most have one line, and those that have more begin further to the left.
const LINES: TableStyle = {
    let line = LineStyle::none().fill('─').junction('─');
    TableStyle::new()
        .top_border(line)
        .header_separator(line)
        .bottom_border(line)
};

/// An empty table.
pub fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(LINES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    let width = table.width().unwrap_or(WIDEST).min(WIDEST);
    table.set_width(width);
    table
}

/// Aligns these columns, of numbers, to the right.
pub fn right_align(table: &mut Table, columns: Range<usize>) {
    let columns = (table.column_iter_mut().skip(columns.start)).take(columns.len());
    for column in columns {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
