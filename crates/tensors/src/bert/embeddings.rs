//! The input of the blocks: the normalised sum of word, position and segment embeddings.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::layers::{Norm, Tokens, of_each, pick};

/// The embedding tables and the norm.
#[derive(Module, Debug)]
pub(super) struct Embeddings {
    /// `[V, D]`.
    pub(super) words: Param<Tensor<2>>,
    /// `[S, D]`, for `S` positions, if they are learned.
    pub(super) positions: Option<Param<Tensor<2>>>,
    /// `[2, D]` in a BERT, `[1, D]` in a RoBERTa; a DistilBERT and a ModernBERT have none.
    pub(super) segments: Option<Param<Tensor<2>>>,
    pub(super) norm: Norm,
    /// The table row of the first token's position.
    pub(super) first_position: usize,
    #[module(skip)]
    pub(super) reads: Segments,
}

/// Which rows of the segment table tokens use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segments {
    /// The first row for the first text of a pair, the second row for the second.
    OfTexts,
    /// Always the first row.
    One,
}

impl Embeddings {
    /// `[B·T]` ids → `[B·(T+P), D]`.
    ///
    /// A soft prompt `[P, D]` is inserted after the first token, as words of the first text. It does not come
    /// first because classification reads the state of the first token, which was pre-trained as the first
    /// one. With learned positions, the prompt uses none: the text keeps its positions, up to the maximum
    /// length, and a prompt vector can learn its own position because its place is fixed.
    pub(super) fn forward(
        &self,
        tokens: &Tokens,
        separator: u32,
        prompt: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let (batch, length) = (tokens.batch(), tokens.width);
        let [_, width] = self.words.val().dims();
        let ids: Vec<usize> = tokens.ids.iter().map(|&id| id as usize).collect();
        let words = pick(self.words.val(), &ids);
        let words = match &self.segments {
            None => words,
            Some(table) => {
                let rows = match self.reads {
                    Segments::OfTexts => segments(tokens, separator),
                    Segments::One => vec![0; ids.len()],
                };
                words + pick(table.val(), &rows)
            }
        };
        let words = words.reshape([batch, length, width]);
        let sum = match &self.positions {
            None => words,
            Some(positions) => {
                let first = self.first_position;
                let rows = positions.val().slice([first..first + length, 0..width]);
                words + rows.unsqueeze()
            }
        };
        let sum = match prompt {
            None => sum,
            Some(prompt) => {
                let prompt = match &self.segments {
                    Some(table) => prompt + table.val().slice([0..1, 0..width]),
                    None => prompt,
                };
                let prompt = of_each(&prompt, batch);
                let first = sum.clone().slice([0..batch, 0..1, 0..width]);
                let rest = sum.slice([0..batch, 1..length, 0..width]);
                Tensor::cat(vec![first, prompt, rest], 1)
            }
        };
        let [_, length, _] = sum.dims();
        self.norm.forward(sum.reshape([batch * length, width]))
    }
}

/// 0 up to and including the first separator of a row, then 1.
fn segments(tokens: &Tokens, separator: u32) -> Vec<usize> {
    let of_row = |row: &[u32]| {
        let first = row.iter().position(|&id| id == separator);
        (0..row.len()).map(move |at| usize::from(first.is_some_and(|first| at > first)))
    };
    tokens.ids.chunks(tokens.width).flat_map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_text_begins_after_the_first_separator() {
        let rows: [&[u32]; 3] = [&[1, 7, 2, 8, 9, 2], &[1, 7, 8, 2], &[1, 7]];
        let found = segments(&Tokens::padded(&rows, 0), 2);
        // Padding after a separator counts as the second text; nothing attends to it.
        let wanted = [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0; 6]].concat();
        assert_eq!(found, wanted);
    }
}
