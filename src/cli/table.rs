//! Tables on standard output: lines above and below the header, limited to the screen's width.

use std::ops::Range;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// The maximum table width, also without a screen: longer lines are hard to read.
const WIDEST: u16 = 120;

/// No lines between rows: most rows have one line, and continuation lines are indented.
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

/// Aligns these columns of numbers to the right.
pub fn right_align(table: &mut Table, columns: Range<usize>) {
    let columns = (table.column_iter_mut().skip(columns.start)).take(columns.len());
    for column in columns {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
