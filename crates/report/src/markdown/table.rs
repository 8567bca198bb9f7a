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

    /// The same table if it has at most so many columns, otherwise with its rows as columns; its
    /// first column must be its only one of words.
    pub fn no_wider_than(self, columns: usize) -> Self {
        if self.header.len() <= columns {
            return self;
        }
        let mut lines = std::iter::once(self.header).chain(self.rows);
        let mut turned: Vec<Vec<String>> = (lines.next().into_iter().flatten())
            .map(|cell| vec![cell])
            .collect();
        for line in lines {
            for (row, cell) in turned.iter_mut().zip(line) {
                row.push(cell);
            }
        }
        TextTable {
            words: self.words,
            header: turned.remove(0),
            rows: turned,
        }
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

    #[test]
    fn a_table_that_is_too_wide_is_turned() {
        let cells = |text: &str| text.chars().map(String::from).collect::<Vec<String>>();
        let wide = TextTable {
            words: &[0],
            header: cells("abc"),
            rows: vec![cells("d12"), cells("e34")],
        };
        assert_eq!(wide.clone().no_wider_than(3), wide);
        let turned = wide.no_wider_than(2);
        assert_eq!(turned.header, cells("ade"));
        assert_eq!(turned.rows, [cells("b13"), cells("c24")]);
    }
}
