use super::*;
use crate::fixture::{Fixture, rescore, uniform};
use crate::resamples::Resamples;
use crate::results::Results;
use crate::study::studies;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Score;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::bootstrap::Bootstrap;
use promptshift_numbers::stats::panel::{Panel, Sum};

fn apart(baseline: Baseline, low: f64, value: f64, high: f64) -> Above {
    let difference = Estimate::new(value, low, high);
    Above {
        baseline,
        difference,
    }
}

#[test]
fn a_narrow_interval_decides_and_a_wide_one_does_not() {
    let untuned = |low, high| apart(Baseline::Untuned, low, 0.5 * (low + high), high);
    for (low, high, wanted) in [
        (0.001, 0.3, Standing::Above),
        (0.0, 0.3, Standing::Open),
        (-0.05, 0.02, Standing::Open),
        (-0.05, 0.0199, Standing::NotAbove),
        (-0.4, 0.4, Standing::Open),
        // Shown to be above, by less than the margin.
        (0.001, 0.01, Standing::Above),
    ] {
        let found = Standing::of(&[untuned(low, high)]);
        assert_eq!(found, wanted, "[{low}, {high}]");
    }
    assert_eq!(Standing::of(&[]), Standing::Open);
}

#[test]
fn a_score_must_exceed_every_baseline_and_the_highest_decides_that_it_does_not() {
    let far = apart(Baseline::Untuned, 0.3, 0.4, 0.5);
    for (constant, wanted) in [
        ([0.01, 0.05, 0.09], Standing::Above),
        ([-0.01, 0.05, 0.09], Standing::Open),
        ([-0.05, -0.02, 0.01], Standing::NotAbove),
    ] {
        let [low, value, high] = constant;
        let near = apart(Baseline::Constant(1), low, value, high);
        assert_eq!(Standing::of(&[far, near]), wanted);
        assert_eq!(decisive(&[far, near]), Some(&near));
    }
}

#[test]
fn identical_passages_have_an_interval_that_depends_on_their_number() {
    let standing = |passages: usize, score: f64| {
        let run = |score: f64| -> Vec<Sample> {
            let passages = (0..passages).map(|passage| passage.to_string());
            passages
                .map(|passage| Sample::new(0, passage, Sum::once(score)))
                .collect()
        };
        let panel = Panel::new(&[run(score), run(0.0)]);
        let draws = Bootstrap::new(50, 1).scores(&[panel]).remove(0);
        let [score, zero] = [0, 1].map(|at| draws[at].as_ref().expect("samples"));
        let differences = [
            above(score, Baseline::Untuned, zero, passages),
            above_fact(score, 0.2, passages),
        ];
        Standing::of(&differences)
    };
    // The upper end against the fact is 1 - 1.2 · 0.025^(1 / C): 0.022 with 18 passages, 0.012 with 19.
    let not_above = (1..100).find(|passages| standing(*passages, 0.0) == Standing::NotAbove);
    assert_eq!(not_above, Some(19));
    // The lower end is 1.8 · 0.025^(1 / C) - 1: below zero with 6 passages, above with 7.
    let above = (1..100).find(|passages| standing(*passages, 1.0) == Standing::Above);
    assert_eq!(above, Some(7));
}

/// Pairs in which two of three target rows are of class 1, and runs are right on this number of 60 rows.
fn two_to_one(right: usize) -> Vec<StoredRecord> {
    let mut records = Fixture::pairs().of_passages(400).records();
    for stored in &mut records {
        let is_tuned = stored.record.cell.method != Method::Untuned;
        let seed = stored.record.cell.seed as usize;
        for (row, prediction) in stored.predictions[1].iter_mut().enumerate() {
            let gold = usize::from(row % 3 != 0);
            let is_right = (row * 7 + seed) % 60 < right;
            let predicted = is_tuned.then_some(if is_right { gold } else { 1 - gold });
            prediction.score = Score::Label { gold, predicted };
        }
        rescore(stored);
        // Class 0 is the most common one in source training.
        stored.record.evaluations[1].floor = Some(1.0 / 3.0);
    }
    records
}

#[test]
fn a_score_below_the_best_constant_is_never_above_the_floor() {
    let standing = |right: usize| {
        let records = two_to_one(right);
        let studies = studies(&records, &[]).expect("they belong together");
        let results = Results::of(&Resamples::of(&studies[0]));
        let best = results.domains[1].floor().expect("classes");
        assert!((best - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(results.domains[1].recorded_floor, Some(1.0 / 3.0));
        let prompt = results.method(Method::Prompt).expect("records");
        prompt.scores[1].above_floor()
    };
    // 60 % is far above the most common label of source training, but below the best constant.
    assert_eq!(standing(36), Some(Standing::NotAbove));
    assert_eq!(standing(40), Some(Standing::Open));
    assert_eq!(standing(44), Some(Standing::Above));
}

/// The shares of simulated studies of balanced pairs in which a method with this true accuracy is shown to be above
/// the bar, and shown not to be.
fn shown(accuracy: f64, rows: usize, studies: u64) -> [f64; 2] {
    let mut uniform = uniform(0x2545_F491_4F6C_DD1D);
    let mut counts = [0.0; 2];
    for study in 0..studies {
        let golds: Vec<usize> = (0..rows).map(|_| usize::from(uniform() < 0.5)).collect();
        let sample = |row: usize, right: bool, seed: u64| {
            Sample::new(seed, row.to_string(), Sum::once(f64::from(u8::from(right))))
        };
        let runs = (0..3).flat_map(|seed| (0..rows).map(move |row| (seed, row)));
        let method = runs
            .map(|(seed, row)| sample(row, uniform() < accuracy, seed))
            .collect();
        let ones: usize = golds.iter().sum();
        let best = usize::from(2 * ones > rows);
        let given = golds.iter().enumerate();
        let constant: Vec<Sample> = given.map(|(row, g)| sample(row, *g == best, 0)).collect();
        let panels = [Panel::new(&[method, constant])];
        let draws = Bootstrap::new(400, study).scores(&panels).remove(0);
        let [score, other] = [0, 1].map(|at| draws[at].as_ref().expect("samples"));
        match Standing::of(&[above(score, Baseline::Constant(best), other, rows)]) {
            Standing::Above => counts[0] += 1.0,
            Standing::NotAbove => counts[1] += 1.0,
            Standing::Open => {}
        }
    }
    counts.map(|count| count / studies as f64)
}

#[test]
fn methods_at_chance_are_rarely_shown_above_the_bar_and_methods_at_the_margin_rarely_shown_not_to_be()
 {
    let [praised, _] = shown(0.5, 200, 300);
    assert!(praised <= 0.03, "{praised}");
    let [_, denied] = shown(0.5 + MARGIN, 200, 300);
    assert!(denied <= 0.05, "{denied}");
    let [learned, _] = shown(0.7, 200, 100);
    assert!(learned > 0.9, "{learned}");
}

#[test]
#[ignore = "simulated for minutes: cargo test -p promptshift-report baselines -- --ignored --nocapture"]
fn how_often_each_standing_is_found() {
    for rows in [100, 400, 1_600, 4_000] {
        for accuracy in [0.48, 0.5, 0.5 + MARGIN, 0.55] {
            let [above, not] = shown(accuracy, rows, 1_000);
            println!("{rows} rows, accuracy {accuracy:.2}: above {above:.3}, not above {not:.3}");
        }
    }
}
