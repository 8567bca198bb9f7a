//! Some rows of a parquet file as text and integers.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type};

use super::TableError;

/// Some rows of a file.
pub struct Batch {
    pub(super) file: String,
    /// The place in the file of each row.
    pub(super) places: Vec<usize>,
    pub(super) columns: RecordBatch,
}

const TEXT: &str = "text";
const TEXT_LIST: &str = "a list of texts";
const INTEGER: &str = "an integer";
const INTEGER_LIST: &str = "a list of integers";
const SPAN_LIST: &str = "a list of spans";

/// First and second of each pair of a struct of two lists.
pub type Spans = Vec<(i64, i64)>;

impl Batch {
    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The place in the file of one of this batch's rows.
    pub fn place(&self, row: usize) -> usize {
        self.places[row]
    }

    /// The rows for which `keep` has true, in their order; `keep` has one for each row.
    pub fn only(self, keep: Vec<bool>) -> Batch {
        let places = self.places.iter().zip(&keep);
        let places = places.filter(|(_, keep)| **keep);
        let places = places.map(|(place, _)| *place).collect();
        let columns = filter_record_batch(&self.columns, &BooleanArray::from(keep))
            .expect("there is one for each row");
        Batch {
            file: self.file,
            places,
            columns,
        }
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
        self.lists(column, TEXT_LIST)?
            .into_iter()
            .enumerate()
            .map(|(row, list)| {
                let wrong_type = || self.wrong_item(column, TEXT_LIST, &list);
                as_texts(&list)
                    .ok_or_else(wrong_type)?
                    .into_iter()
                    .map(|text| text.ok_or_else(|| self.null(column, TEXT_LIST, row)))
                    .collect()
            })
            .collect()
    }

    /// A column of lists of integers.
    pub fn integer_lists(&self, column: &str) -> Result<Vec<Vec<i64>>, TableError> {
        self.lists(column, INTEGER_LIST)?
            .into_iter()
            .enumerate()
            .map(|(row, list)| {
                as_integers(&list)
                    .ok_or_else(|| self.wrong_item(column, INTEGER_LIST, &list))?
                    .ok_or_else(|| self.null(column, INTEGER_LIST, row))
            })
            .collect()
    }

    /// A column of lists of structs of two lists of integers of one length, `first` and `second`:
    /// for each row and each struct the pairs of both lists.
    pub fn span_lists(
        &self,
        column: &str,
        first: &str,
        second: &str,
    ) -> Result<Vec<Vec<Spans>>, TableError> {
        self.lists(column, SPAN_LIST)?
            .into_iter()
            .enumerate()
            .map(|(row, list)| {
                let wrong_type = || self.wrong_item(column, SPAN_LIST, &list);
                let null = || self.null(column, SPAN_LIST, row);
                let fields = list.as_struct_opt().ok_or_else(wrong_type)?;
                let side = |name: &str| -> Result<Vec<Vec<i64>>, TableError> {
                    let lists = fields.column_by_name(name).ok_or_else(wrong_type)?;
                    as_lists(lists)
                        .ok_or_else(wrong_type)?
                        .into_iter()
                        .map(|list| {
                            let list = list.ok_or_else(null)?;
                            as_integers(&list).ok_or_else(wrong_type)?.ok_or_else(null)
                        })
                        .collect()
                };
                let sides = side(first)?.into_iter().zip(side(second)?);
                Ok(sides
                    .map(|(firsts, seconds)| firsts.into_iter().zip(seconds).collect())
                    .collect())
            })
            .collect()
    }

    /// A column of lists, which are never null.
    fn lists(&self, column: &str, wanted: &'static str) -> Result<Vec<ArrayRef>, TableError> {
        let (array, present) = self.column(column, wanted)?;
        as_lists(&array)
            .ok_or_else(|| self.wrong_type(column, wanted, &array))?
            .into_iter()
            .zip(present)
            .enumerate()
            .map(|(row, (list, present))| {
                let list = list.filter(|_| present);
                list.ok_or_else(|| self.null(column, wanted, row))
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
            row: self.place(row),
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

    /// The error of a list of something else.
    fn wrong_item(&self, column: &str, wanted: &'static str, found: &ArrayRef) -> TableError {
        TableError::WrongType {
            file: self.file.clone(),
            column: column.to_string(),
            wanted,
            found: format!("List({})", found.data_type()),
        }
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

/// The lists of an array of lists, whatever their child is called; `None` for another kind.
fn as_lists(array: &ArrayRef) -> Option<Vec<Option<ArrayRef>>> {
    if let Some(lists) = array.as_list_opt::<i32>() {
        return Some(lists.iter().collect());
    }
    let lists = array.as_list_opt::<i64>()?;
    Some(lists.iter().collect())
}

/// The integers of an array of them; the outer `None` for another kind, the inner for a null among
/// them.
fn as_integers(array: &ArrayRef) -> Option<Option<Vec<i64>>> {
    if !array.data_type().is_integer() {
        return None;
    }
    let integers = cast(array, &DataType::Int64).ok()?;
    Some(integers.as_primitive::<Int64Type>().iter().collect())
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
