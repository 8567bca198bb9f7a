use super::*;
use crate::fixture::assert_has;

/// A vocabulary of four entries along the axes; the prompt was initialised with the first two, and its second vector
/// moved to the third.
fn example() -> (Inspected, Vocabulary) {
    let axes = |which: &[usize], size: f32| {
        let mut values = vec![0.0; 4 * which.len()];
        for (row, axis) in which.iter().enumerate() {
            values[4 * row + axis] = size;
        }
        Rows::new(values, 4)
    };
    let vocabulary = Vocabulary {
        table: axes(&[0, 1, 2, 3], 1.0),
        pieces: ["mill", "barn", "yes", "no"].map(str::to_owned).to_vec(),
    };
    let prompt = Inspected {
        name: "squad, seed 0".to_owned(),
        vectors: axes(&[0, 2], 2.0),
        start: Some(axes(&[0, 1], 1.0)),
        labels: vec![("yes".to_owned(), vec![0.0, 0.0, 1.0, 0.0])],
        origin: "made by hand".to_owned(),
        scored: None,
    };
    (prompt, vocabulary)
}

#[test]
fn vectors_are_described_by_their_nearest_entries() {
    let (prompt, vocabulary) = example();
    let document = document(&[prompt], &vocabulary, 1);
    let text = document.markdown("figures");
    // The first only grew, the second rotated: |2 e₂ − e₁| / 1 = √5.
    assert_has(&text, "| 0 | “mill” 1.00 | “mill” | yes | 1.00 | 1.00 |");
    assert_has(&text, "| 1 | “yes” 1.00 | “barn” | no | 0.00 | 2.24 |");
    assert_has(&text, "| “yes” | 1 | 1.00 | 0 (0 %) | 0 (0.00) |");
    assert_has(&text, "| squad, seed 0 | 2 | 2.0 | 2.0 | 2 | 2 |");
    assert_eq!(document.figures().count(), 1);
}

#[test]
fn several_prompts_are_compared() {
    let (prompt, vocabulary) = example();
    let mut other = prompt.clone();
    other.name = "race, seed 0".to_owned();
    other.vectors = prompt.start.clone().expect("given");
    let document = document(&[prompt, other], &vocabulary, 2);
    let text = document.markdown("figures");
    // They have one of two directions in common.
    assert_has(&text, "| squad, seed 0 | 1.00 / 1.00 | 0.50 / 0.50 |");
    assert_eq!(document.figures().count(), 3);
}

#[test]
fn similarity_is_correlated_with_retained_scores() {
    let (prompt, vocabulary) = example();
    // Prompts between two directions, at 0, 30 and 90 degrees: the retained score falls with the angle.
    let turned = |source: &str, degrees: f32, scores: [f64; 3]| {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        Inspected {
            name: source.to_owned(),
            vectors: Rows::new(vec![cosine, sine, 0.0, 0.0], 4),
            scored: Some(Scored {
                source: source.to_owned(),
                scores: (["a", "b", "c"].map(str::to_owned).into_iter())
                    .zip(scores)
                    .collect(),
            }),
            ..prompt.clone()
        }
    };
    let prompts = [
        turned("a", 0.0, [0.8, 0.4, 0.1]),
        turned("b", 30.0, [0.8, 0.4, 0.2]),
        turned("c", 90.0, [0.4, 0.3, 0.4]),
    ];
    let text = document(&prompts, &vocabulary, 1).markdown("figures");
    assert_has(&text, "| a | b | 0.87 | 0.87 | 100.0 |");
    assert_has(&text, "| c | b | 0.50 | 0.50 | 75.0 |");
    // Similarities .87 .87 .5 .5 0 0 against 100, 100, 50, 75, 25, 50.
    assert_has(&text, "prompt similarity: 0.92 over 6 pairs, p 0.33");
    let two = document(&prompts[..2], &vocabulary, 1);
    assert!(!two.markdown("figures").contains("similar prompts"));
}
