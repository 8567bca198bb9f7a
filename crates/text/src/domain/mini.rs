//! The bundled miniature domains' files, compiled into the binary.

use super::Split;

/// The parquet file of a miniature domain's split, if there is one.
pub fn mini_file(domain: &str, split: Split) -> Option<&'static [u8]> {
    FILES
        .iter()
        .find(|(name, part, _)| *name == domain && *part == split)
        .map(|(_, _, bytes)| *bytes)
}

macro_rules! files {
    ($($name:literal: $($split:ident $file:literal),*;)*) => {
        &[$($((
            $name,
            Split::$split,
            include_bytes!(concat!("../../../../datasets/mini/", $name, "/", $file)),
        )),*),*]
    };
}

const FILES: &[(&str, Split, &[u8])] = files! {
    "squad": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "textbookqa": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "bioasq": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "race": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "relation_extraction": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "duorc": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "drop": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "qqp": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "mrpc": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
};
