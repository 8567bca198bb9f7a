//! A batch of token ids.

/// Token ids of a batch, padded on the right to one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `[B·T]`, row by row.
    pub ids: Vec<u32>,
    /// The real tokens of each row.
    pub lengths: Vec<usize>,
    /// `T`.
    pub width: usize,
    /// For each row, how many of its tokens are before each vector of a soft prompt, `P` of them;
    /// no row where the prompt stands before the input.
    pub soft: Vec<Vec<usize>>,
}

impl Tokens {
    /// Pads `rows` with `pad` to the longest of them.
    pub fn padded<R: AsRef<[u32]>>(rows: &[R], pad: u32) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * width);
        for row in rows {
            ids.extend_from_slice(row.as_ref());
            ids.resize(ids.len() + width - row.as_ref().len(), pad);
        }
        Tokens {
            ids,
            lengths,
            width,
            soft: Vec::new(),
        }
    }

    /// These tokens with a soft prompt's vectors among them, `P` places a row; rows without any
    /// leave the prompt before the input.
    ///
    /// # Panics
    /// Not a row of places for each row, or not as many in each.
    pub fn with_soft(self, soft: Vec<Vec<usize>>) -> Self {
        assert_eq!(soft.len(), self.batch(), "places of a prompt for every row");
        let vectors = soft.first().map_or(0, Vec::len);
        assert!(
            soft.iter().all(|row| row.len() == vectors),
            "every row has the same prompt"
        );
        let soft = if vectors == 0 { Vec::new() } else { soft };
        Tokens { soft, ..self }
    }

    /// `B`.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Real tokens in all rows.
    pub fn count(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Flat positions of the tokens that are not padding.
    pub(crate) fn real_positions(&self) -> impl Iterator<Item = usize> + '_ {
        (self.lengths.iter().enumerate())
            .flat_map(move |(row, &length)| row * self.width..row * self.width + length)
    }

    /// The decoder's input that predicts these tokens: shifted right behind `start`.
    pub(crate) fn shifted_right(&self, start: u32) -> Vec<u32> {
        self.ids
            .chunks(self.width)
            .flat_map(|row| std::iter::once(start).chain(row[..self.width - 1].iter().copied()))
            .collect()
    }
}
