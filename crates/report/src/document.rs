//! Documents: blocks that [`markdown`](Document::markdown), [`html`] and [`terminal`] render.

pub mod html;
mod markdown;
pub mod terminal;

pub use markdown::{plain, quoted};

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The title in a browser.
    pub title: String,
    /// The content, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A part of a document. Its words are Markdown without HTML; text from files must be escaped with [`plain`].
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The title of a study.
    Title(String),
    /// The heading of a section.
    Heading(String),
    /// One or more paragraphs, a quotation or code.
    Text(String),
    Table(Table),
    Figure(Figure),
    List(Vec<String>),
    /// Blocks that are collapsed under a summary.
    Details(String, Vec<Block>),
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Its file's name.
    pub name: String,
    /// A description for readers who cannot see it.
    pub alt: String,
    /// The picture.
    pub svg: String,
}

/// A header and rows of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The indices of columns with words, which are left-aligned; numbers are right-aligned.
    pub words: &'static [usize],
    /// The columns' names.
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Shown if a planned run has no record.
pub const MISSING: &str = "missing";

/// Shown for an undefined value.
pub const UNDEFINED: &str = "–";

/// A value as `show` formats it, or a dash.
pub fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), show)
}

/// A label and cells: a header or a row of a table.
pub fn line<C: Into<String>>(
    label: impl Into<String>,
    cells: impl IntoIterator<Item = C>,
) -> Vec<String> {
    let cells = cells.into_iter().map(Into::into);
    std::iter::once(label.into()).chain(cells).collect()
}

impl Document {
    /// All figures.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        })
    }
}

impl Block {
    /// A heading.
    pub fn heading(words: impl Into<String>) -> Self {
        Block::Heading(words.into())
    }

    /// A table under a heading, with words after it.
    pub fn section(
        heading: impl Into<String>,
        table: Table,
        words: impl Into<String>,
    ) -> [Block; 3] {
        [Block::heading(heading), table.into(), Block::text(words)]
    }

    /// A paragraph.
    pub fn text(words: impl Into<String>) -> Self {
        Block::Text(words.into())
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Block::Table(table)
    }
}

impl From<Figure> for Block {
    fn from(figure: Figure) -> Self {
        Block::Figure(figure)
    }
}

impl Table {
    /// An empty table whose first column has words.
    pub fn new<C: Into<String>>(header: impl IntoIterator<Item = C>) -> Self {
        Table {
            words: &[0],
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// An empty table with these names of columns, with ` | ` between them.
    pub fn of(names: &str) -> Self {
        Table::new(names.split(" | "))
    }

    /// The table with words in these columns.
    pub fn words(self, columns: &'static [usize]) -> Self {
        Table {
            words: columns,
            ..self
        }
    }

    /// The table with these rows.
    pub fn rows(self, rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Table {
            rows: rows.into_iter().collect(),
            ..self
        }
    }

    /// The same table if it has at most so many columns, otherwise transposed. Only its first column may have words.
    pub fn no_wider_than(self, columns: usize) -> Self {
        if self.header.len() <= columns {
            return self;
        }
        let lines: Vec<Vec<String>> = std::iter::once(self.header).chain(self.rows).collect();
        let turned = |column: usize| lines.iter().map(move |line| line[column].clone());
        Table {
            words: self.words,
            header: turned(0).collect(),
            rows: (1..lines[0].len())
                .map(|column| turned(column).collect())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_is_transposed() {
        let cells = |text: &str| text.chars().map(String::from).collect::<Vec<String>>();
        let wide = Table::new(cells("abc")).rows([cells("d12"), cells("e34")]);
        assert_eq!(wide.clone().no_wider_than(3), wide);
        let turned = wide.no_wider_than(2);
        assert_eq!(turned.header, cells("ade"));
        assert_eq!(turned.rows, [cells("b13"), cells("c24")]);
    }
}
