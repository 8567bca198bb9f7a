//! Turns a tokenized document into an (input, target) pair by span corruption or prefix LM.

use rand::RngExt;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// The share of tokens that span corruption masks, and the mean length of a masked span (T5).
const NOISE_DENSITY: f64 = 0.15;
const MEAN_SPAN: f64 = 3.0;

/// An input and its target, without end of sequence.
pub type Pair = (Vec<u32>, Vec<u32>);

/// Prefix LM: the first `cut` tokens of the document, then the rest.
///
/// # Panics
/// `cut` is not within the document.
pub fn prefix_lm(ids: &[u32], cut: usize) -> Pair {
    let (prefix, rest) = ids.split_at(cut);
    (prefix.to_vec(), rest.to_vec())
}

/// Replaces each span (`start..end`, in order, not adjacent) by a sentinel in the input; the target has each
/// sentinel followed by the tokens it replaces. No sentinel follows the last span, because a mask always ends
/// in noise (T5's `noise_span_to_unique_sentinel`).
///
/// # Panics
/// There are more spans than sentinels.
pub fn corrupt(ids: &[u32], spans: &[(usize, usize)], sentinels: &[u32]) -> Pair {
    let (mut input, mut target) = (Vec::with_capacity(ids.len()), Vec::new());
    let mut from = 0;
    for (&(start, end), &sentinel) in spans.iter().zip(sentinels) {
        input.extend_from_slice(&ids[from..start]);
        input.push(sentinel);
        target.push(sentinel);
        target.extend_from_slice(&ids[start..end]);
        from = end;
    }
    input.extend_from_slice(&ids[from..]);
    (input, target)
}

/// T5's span corruption of a whole document: 15 % of the tokens in spans of mean length 3. The document
/// starts with tokens that are kept and ends with a masked span (`random_spans_noise_mask`). `None` for
/// documents of fewer than two tokens.
pub fn span_corruption(ids: &[u32], sentinels: &[u32], rng: &mut ChaCha8Rng) -> Option<Pair> {
    let spans = random_spans(ids.len(), sentinels.len(), rng)?;
    Some(corrupt(ids, &spans, sentinels))
}

fn random_spans(length: usize, most: usize, rng: &mut ChaCha8Rng) -> Option<Vec<(usize, usize)>> {
    if length < 2 {
        return None;
    }
    let noise = ((length as f64 * NOISE_DENSITY).round_ties_even() as usize).clamp(1, length - 1);
    let kept = length - noise;
    let spans =
        ((noise as f64 / MEAN_SPAN).round_ties_even() as usize).clamp(1, most.min(noise).min(kept));
    let (noise, kept) = (parts(noise, spans, rng), parts(kept, spans, rng));
    let mut from = 0;
    Some(
        kept.into_iter()
            .zip(noise)
            .map(|(kept, noise)| {
                let start = from + kept;
                from = start + noise;
                (start, from)
            })
            .collect(),
    )
}

/// A uniformly random way to write `total` as a sum of `count` positive numbers.
fn parts(total: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut cuts: Vec<usize> = index::sample(rng, total - 1, count - 1)
        .iter()
        .map(|cut| cut + 1)
        .collect();
    cuts.sort_unstable();
    cuts.push(total);
    let mut from = 0;
    cuts.into_iter()
        .map(|cut| cut - std::mem::replace(&mut from, cut))
        .collect()
}

/// The tokens of the given byte ranges (names and answers) as spans, each kept with probability `share`;
/// ranges adjacent to an earlier span are dropped.
pub fn salient_spans(
    offsets: &[(usize, usize)],
    ranges: &[(usize, usize)],
    most: usize,
    share: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for &(from, to) in ranges {
        if spans.len() == most || !rng.random_bool(share) {
            continue;
        }
        let inside = |&(start, end): &(usize, usize)| start < to && end > from && end > start;
        let Some(first) = offsets.iter().position(inside) else {
            continue;
        };
        let last = offsets.iter().rposition(inside).unwrap_or(first);
        if spans.last().is_none_or(|&(_, end)| first > end) {
            spans.push((first, last + 1));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SENTINELS: [u32; 4] = [99, 98, 97, 96];

    #[test]
    fn corruption_mirrors_input_and_target() {
        let ids: Vec<u32> = (0..8).collect();
        let (input, target) = corrupt(&ids, &[(1, 3), (5, 8)], &SENTINELS);
        assert_eq!(input, [0, 99, 3, 4, 98]);
        assert_eq!(target, [99, 1, 2, 98, 5, 6, 7]);
    }

    #[test]
    fn random_spans_hide_fifteen_percent_and_end_in_noise() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for length in 2..300 {
            let spans = random_spans(length, 100, &mut rng).expect("two tokens or more");
            let hidden: usize = spans.iter().map(|(start, end)| end - start).sum();
            let wanted = ((length as f64 * 0.15).round_ties_even() as usize).clamp(1, length - 1);
            assert_eq!(hidden, wanted, "length {length}");
            assert!(spans[0].0 > 0, "the first span is not noise");
            assert_eq!(spans[spans.len() - 1].1, length, "the last span is noise");
            assert!(
                spans.windows(2).all(|pair| pair[0].1 < pair[1].0),
                "spans do not touch"
            );
        }
    }

    #[test]
    fn salient_spans_cover_whole_tokens() {
        let offsets = [(0, 2), (2, 5), (5, 9), (9, 12)];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(
            salient_spans(&offsets, &[(3, 7)], 4, 1.0, &mut rng),
            [(1, 3)]
        );
        assert!(salient_spans(&offsets, &[(3, 7)], 4, 0.0, &mut rng).is_empty());
    }
}
