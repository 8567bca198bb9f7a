//! Some rows of a parquet file as text and integers.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::TableError;

/// Some rows of a file.
pub struct Batch {
    pub(super) file: String,
    pub(super) first_row: usize,
    pub(super) columns: RecordBatch,
}

const TEXT: &str = "text";
const TEXT_LIST: &str = "a list of texts";
const INTEGER: &str = "an integer";

impl Batch {
    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The place of this batch's first row in the file.
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.num_rows()
    }

    /// Whether a column was asked for and read.
    pub fn has(&self, column: &str) -> bool {
        self.columns.column_by_name(column).is_some()
    }

    /// A column of text.
    pub fn texts(&self, column: &str) -> Result<Vec<String>, TableError> {
        let (array, _) = self.column(column, TEXT)?;
        let texts = as_texts(&array).ok_or_else(|| self.wrong_type(column, TEXT, &array))?;
        texts
            .into_iter()
            .enumerate()
            .map(|(row, text)| text.ok_or_else(|| self.null(column, TEXT, row)))
            .collect()
    }

    /// A column of lists of texts.
    pub fn text_lists(&self, column: &str) -> Result<Vec<Vec<String>>, TableError> {
        let (array, present) = self.column(column, TEXT_LIST)?;
        let wrong_type = || self.wrong_type(column, TEXT_LIST, &array);
        let lists: Vec<Option<ArrayRef>> = if let Some(lists) = array.as_list_opt::<i32>() {
            lists.iter().collect()
        } else if let Some(lists) = array.as_list_opt::<i64>() {
            lists.iter().collect()
        } else {
            return Err(wrong_type());
        };
        lists
            .into_iter()
            .zip(present)
            .enumerate()
            .map(|(row, (list, present))| {
                let null = || self.null(column, TEXT_LIST, row);
                let list = list.filter(|_| present).ok_or_else(null)?;
                as_texts(&list)
                    .ok_or_else(wrong_type)?
                    .into_iter()
                    .map(|text| text.ok_or_else(null))
                    .collect()
            })
            .collect()
    }

    /// A column of integers, `None` where null.
    pub fn integers(&self, column: &str) -> Result<Vec<Option<i64>>, TableError> {
        let (array, _) = self.column(column, INTEGER)?;
        if !array.data_type().is_integer() {
            return Err(self.wrong_type(column, INTEGER, &array));
        }
        let integers =
            cast(&array, &DataType::Int64).map_err(|_| self.wrong_type(column, INTEGER, &array))?;
        Ok(integers.as_primitive::<Int64Type>().iter().collect())
    }

    /// The error of a null in one of this batch's rows.
    pub fn null(&self, column: &str, wanted: &'static str, row: usize) -> TableError {
        TableError::Null {
            file: self.file.clone(),
            column: column.to_string(),
            row: self.first_row + row,
            wanted,
        }
    }

    /// A column by its dotted name, and for each row whether the structs around it are present.
    fn column(
        &self,
        column: &str,
        wanted: &'static str,
    ) -> Result<(ArrayRef, Vec<bool>), TableError> {
        let missing = || TableError::MissingColumn {
            file: self.file.clone(),
            column: column.to_string(),
            found: (self.columns.schema().fields().iter())
                .map(|field| field.name().clone())
                .collect(),
        };
        let mut names = column.split('.');
        let mut array = names
            .next()
            .and_then(|name| self.columns.column_by_name(name))
            .ok_or_else(missing)?;
        let mut present = vec![true; self.rows()];
        for name in names {
            let fields = array
                .as_struct_opt()
                .ok_or_else(|| self.wrong_type(column, wanted, array))?;
            for (row, present) in present.iter_mut().enumerate() {
                *present &= fields.is_valid(row);
            }
            array = fields.column_by_name(name).ok_or_else(missing)?;
        }
        Ok((array.clone(), present))
    }

    fn wrong_type(&self, column: &str, wanted: &'static str, found: &ArrayRef) -> TableError {
        TableError::WrongType {
            file: self.file.clone(),
            column: column.to_string(),
            wanted,
            found: found.data_type().to_string(),
        }
    }
}

/// The texts of an array of strings however they are laid out; `None` for another kind.
fn as_texts(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    let is_text = |kind: &DataType| {
        matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    match array.data_type() {
        DataType::Dictionary(_, values) if is_text(values) => {}
        kind if is_text(kind) => {}
        _ => return None,
    }
    let plain = cast(array, &DataType::LargeUtf8).ok()?;
    let texts = plain.as_string::<i64>().iter();
    Some(texts.map(|text| text.map(str::to_string)).collect())
}
