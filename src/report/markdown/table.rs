//! A table of text.

/// A header and rows of the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    /// The columns, from 0, that hold words and stand left; numbers stand right.
    pub words: &'static [usize],
    /// The columns' names.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

/// What stands where a cell of the plan has no record.
pub const MISSING: &str = "missing";

/// What stands where a value is not defined.
pub const UNDEFINED: &str = "–";

impl TextTable {
    /// GitHub's markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rules: Vec<String> = (0..self.header.len())
            .map(|column| {
                if self.words.contains(&column) {
                    "---"
                } else {
                    "---:"
                }
                .to_owned()
            })
            .collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&self.header), line(&rules))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let table = TextTable {
            words: &[0],
            header: vec!["a".to_owned(), "b".to_owned()],
            rows: vec![vec!["x|y".to_owned(), "1".to_owned()]],
        };
        assert_eq!(
            table.markdown(),
            "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n"
        );
    }
}
