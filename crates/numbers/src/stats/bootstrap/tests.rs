use std::time::{Duration, Instant};

use super::*;
use crate::stats::estimate::standard_deviation;
use crate::stats::intervals::wilson;
use crate::stats::panel::Sample;
use crate::stats::tests::{Normal, two};

const FAST: Bootstrap = Bootstrap::new(2_000, 7);

fn sample(seed: u64, cluster: usize, score: f64) -> Sample {
    Sample::new(seed, format!("{cluster:04}"), Sum::once(score))
}

/// Runs with these seeds on so many passages, with the scores of a formula.
fn scored(
    seeds: impl IntoIterator<Item = u64>,
    clusters: usize,
    score: impl Fn(u64, usize) -> f64,
) -> Vec<Sample> {
    let of_seed = |seed| (0..clusters).map(move |cluster| (seed, cluster));
    let all = seeds.into_iter().flat_map(of_seed);
    all.map(|(seed, cluster)| sample(seed, cluster, score(seed, cluster)))
        .collect()
}

/// The first method minus the second, on one domain.
fn difference(first: Vec<Sample>, second: Vec<Sample>) -> Draws {
    let scores = FAST.scores(&[Panel::new(&[first, second])]);
    let [first, second] = two(&scores[0]);
    first.minus(second)
}

/// Runs with mean 0.5, one standard deviation between seeds and one between passages.
fn runs(
    normal: &mut Normal,
    seeds: u64,
    clusters: usize,
    between: f64,
    within: f64,
) -> Vec<Sample> {
    let passages: Vec<f64> = (0..clusters).map(|_| within * normal.next()).collect();
    let shifts: Vec<f64> = (0..seeds).map(|_| 0.5 + between * normal.next()).collect();
    scored(0..seeds, clusters, |seed, cluster| {
        shifts[seed as usize] + passages[cluster]
    })
}

fn one(samples: Vec<Sample>, bootstrap: Bootstrap) -> Draws {
    let mut scores = bootstrap.scores(&[Panel::new(&[samples])]);
    scores.remove(0).remove(0).expect("there are samples")
}

fn near(found: f64, wanted: f64, share: f64) {
    let apart = (found / wanted - 1.0).abs();
    assert!(apart < share, "{found} is not {wanted}");
}

#[test]
fn two_passages_by_hand() {
    // One seed, passages that score 0 and 1: a resample is 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4.
    let draws = one(vec![sample(0, 0, 0.0), sample(0, 1, 1.0)], FAST);
    for (value, wanted) in [(0.0, 0.25), (0.5, 0.5), (1.0, 0.25)] {
        let drawn = draws.resampled.iter().filter(|drawn| **drawn == value);
        assert!((drawn.count() as f64 / 2_000.0 - wanted).abs() < 0.03);
    }
    // The variance of one of the two is 1/4, that of their mean half of it, which C/(C - 1) = 2 makes of 1/8 drawn twice:
    // 1/4 again, as of one answer. Wilson's interval of half of one with t of one degree of freedom, 12.706:
    // 0.5 ± 12.706 / (1 + 161.45) · sqrt(1/4 + 161.45/4).
    let interval = draws.estimate().interval;
    near(interval.high - 0.5, 0.498_5, 0.002);
    near(0.5 - interval.low, 0.498_5, 0.002);
}

#[test]
fn a_share_of_passages_has_wilson_s_interval() {
    // One answer for each of 2,000 passages, one in a hundred wrong: as independent trials, with t for z.
    let samples = scored([0], 2_000, |_, cluster| {
        f64::from(u8::from(cluster % 100 > 0))
    });
    let found = one(samples, Bootstrap::default()).estimate().interval;
    let wanted = wilson(1_980, 2_000).expect("trials");
    for apart in [found.low - wanted.low, found.high - wanted.high] {
        assert!(apart.abs() < 2e-4, "{found:?}, {wanted:?}");
    }
}

#[test]
fn all_right_answers_still_have_an_interval() {
    let right = || scored(0..3, 30, |_, _| 1.0);
    let score = one(right(), FAST);
    assert_eq!(score.variance(), Variance::default());
    // t of 29 degrees of freedom, squared, is 4.183: 1 - 4.183 / (30 + 4.183).
    let interval = score.estimate().interval;
    assert!((interval.low - 0.877_6).abs() < 1e-3, "{interval:?}");
    assert_eq!(interval.high, 1.0);
    assert_eq!(score.weaknesses(), [Weakness::AtBound]);
    // With one passage there is no p value.
    assert_eq!(one(vec![sample(0, 0, 1.0)], FAST).p_value(), None);
    // Two methods that are right everywhere: each with one right and one wrong answer more, 31/32 · 1/32 / 32.
    let difference = difference(right(), right());
    let half = 2.045_230 * (2.0 * 31.0 / 32.0_f64.powi(3)).sqrt();
    near(difference.estimate().interval.high, half, 1e-4);
    near(-difference.estimate().interval.low, half, 1e-4);
    assert!(difference.p_value().is_some_and(|p| p > 0.99));
    // t of 29 degrees of freedom at 0.8 is 0.854.
    let detectable = half * (1.0 + 0.854_2 / 2.045_2);
    near(difference.detectable(), detectable, 1e-3);
}

#[test]
fn all_right_answers_have_the_same_interval_with_any_number_of_seeds() {
    // 1/K added K times is not 1 for 6 and 10, nor are the means of so many domains.
    let right = |seeds: u64, score: f64| scored(0..seeds, 30, |_, _| score);
    for seeds in [3, 6, 10] {
        let panels = [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
            .map(|score| Panel::new(&[right(seeds, score), right(seeds, score)]));
        let scores = Bootstrap::default().scores(&panels);
        let draws = |panel: usize, method: usize| scores[panel][method].as_ref().expect("samples");
        let interval = draws(0, 0).estimate().interval;
        near(interval.low, 30.0 / 34.183, 1e-3);
        assert_eq!(interval.high, 1.0, "{seeds} seeds");
        let mean = |method: usize| {
            let all: Vec<&Draws> = (0..6).map(|panel| draws(panel, method)).collect();
            Draws::mean(&all).expect("six")
        };
        let found = mean(0).estimate().interval;
        assert!(found.low > 0.7 && found.high < 0.9, "{seeds}: {found:?}");
        let none = mean(0).minus(&mean(1));
        assert_eq!(none.variance(), Variance::default());
        assert!(none.p_value().is_some_and(|p| p > 0.99));
        assert!(none.detectable() > 0.0);
    }
    // The same on every passage and in every run, and not at a bound: nothing varies, whatever rounding says.
    let none = difference(right(6, 0.3), right(6, 0.1));
    assert_eq!((none.p_value(), none.detectable()), (None, 0.0));
}

#[test]
fn one_passage_has_no_p_value() {
    // Three seeds each that hardly differ, so that over seeds alone the difference would be beyond doubt.
    let runs = |score: f64, clusters: usize| {
        scored(0..3, clusters, |seed, _| {
            score + 0.001 * seed as f64 * (1.0 - score)
        })
    };
    let panels = [1, 30].map(|clusters| Panel::new(&[runs(0.2, clusters), runs(0.8, clusters)]));
    let scores = FAST.scores(&panels);
    let difference = |panel: usize| {
        let [first, second] = two(&scores[panel]);
        first.minus(second)
    };
    assert!(difference(1).p_value().is_some_and(|p| p < 0.01));
    assert_eq!(difference(0).p_value(), None);
    // Nor has a mean that holds such a domain.
    let mean = Draws::mean(&[&difference(0), &difference(1)]).expect("two");
    assert_eq!(mean.p_value(), None);
    assert_eq!(mean.weaknesses()[0], Weakness::OnePassage);
}

#[test]
fn all_right_answers_with_a_borrowed_spread_have_its_width() {
    let of = |shares: &[f64]| {
        let is_right = |seed: u64, cluster: usize| (cluster as f64) < 30.0 * shares[seed as usize];
        let score = |seed, cluster| f64::from(u8::from(is_right(seed, cluster)));
        scored(0..shares.len() as u64, 30, score)
    };
    let mut scores = FAST.scores(&[Panel::new(&[of(&[0.5, 0.7, 0.9]), of(&[1.0])])]);
    let alone = scores[0][1].as_ref().expect("a run").estimate().interval;
    lend(&mut scores, |_| true, |_| true);
    let lent = scores[0][1].as_ref().expect("a run").estimate().interval;
    let is_wider = lent.low.is_finite() && lent.low < alone.low;
    assert!(is_wider, "{lent:?}, {alone:?}");
    assert_eq!(lent.high, 1.0);
}

#[test]
fn the_effective_number_of_passages_accounts_for_their_weights() {
    // Weights 8, 1, 1: (10)² / 66 is 1.5 passages of like size.
    let weights = [("a", 8.0), ("b", 1.0), ("c", 1.0)];
    let samples = weights.map(|(passage, of)| Sample::new(0, passage, Sum::new(0.5 * of, of)));
    near(Panel::new(&[samples.to_vec()]).alike(), 100.0 / 66.0, 1e-12);
}

#[test]
fn passages_give_the_analytic_standard_error() {
    let mut normal = Normal::new(1);
    let samples = runs(&mut normal, 1, 200, 0.0, 0.3);
    let values: Vec<f64> = samples.iter().map(|sample| sample.sum.ratio()).collect();
    let deviation = standard_deviation(&values).expect("200 values");
    let draws = one(samples, FAST);
    let found = draws.variance().standard_error();
    near(found, deviation / 200.0_f64.sqrt(), 0.06);
    assert_eq!(draws.variance().seeds, 0.0);
}

#[test]
fn questions_of_one_passage_count_as_one() {
    // 50 passages with 10 equal questions each: the error is that of 50 values, not of 500.
    let mut normal = Normal::new(2);
    let values: Vec<f64> = (0..50).map(|_| normal.next()).collect();
    let samples = (0..500)
        .map(|i| sample(0, i / 10, values[i / 10]))
        .collect();
    let deviation = standard_deviation(&values).expect("50 values");
    let found = one(samples, FAST).variance().standard_error();
    near(found, deviation / 50.0_f64.sqrt(), 0.06);
}

/// Three seeds that score 2.2, 2.5, 2.6 on every passage, which are no shares.
fn three_seeds() -> Vec<Sample> {
    scored(0..3, 20, |seed, _| [2.2, 2.5, 2.6][seed as usize])
}

#[test]
fn seeds_give_student_s_interval() {
    let draws = one(three_seeds(), FAST);
    let deviation = standard_deviation(&[2.2, 2.5, 2.6]).expect("three values");
    near(draws.variance().seeds, deviation * deviation / 3.0, 1e-9);
    assert!(draws.variance().passages < 1e-20);
    // 4.303 standard errors, as the t interval of three values has it.
    let interval = draws.estimate().interval;
    let half = 4.302_653 * deviation / 3.0_f64.sqrt();
    near(interval.high - draws.value(), half, 1e-6);
    near(draws.value() - interval.low, half, 1e-6);
    // Of these runs alone nothing varies.
    let these = draws.estimate_of_these_runs().interval;
    assert!(these.high - these.low < 1e-9);
}

#[test]
fn the_interaction_of_runs_and_passages_counts_once() {
    // No passage is easier for all seeds and no seed is better overall: each run scores independent noise. Passages
    // show all of the variance of the mean, and seeds add little.
    let mut normal = Normal::new(11);
    let samples: Vec<Sample> = (0..40)
        .flat_map(|seed| (0..100).map(move |cluster| (seed, cluster)))
        .map(|(seed, cluster)| sample(seed, cluster, normal.next()))
        .collect();
    let variance = one(samples, FAST).variance();
    let wanted = 1.0 / (40.0 * 100.0);
    near(variance.passages, wanted, 0.4);
    assert!(variance.seeds < 0.5 * wanted, "{variance:?}");
}

#[test]
fn differences_are_paired() {
    // The second method is 0.1 better on every example, whatever is drawn.
    let mut normal = Normal::new(3);
    let first = runs(&mut normal, 3, 40, 0.1, 0.3);
    let mut second = first.clone();
    (second.iter_mut()).for_each(|sample| sample.sum.numerator += 0.1);
    let interval = difference(second, first).estimate().interval;
    assert!((interval.low - 0.1).abs() < 1e-9);
    assert!((interval.high - 0.1).abs() < 1e-9);
}

#[test]
fn other_seeds_are_independent() {
    let method = |first: u64| {
        let score = |seed: u64, _| [0.2, 0.6][(seed - first) as usize];
        scored([first, first + 1], 9, score)
    };
    let seeds = |first, second| difference(method(first), method(second)).variance().seeds;
    // S² = 0.08, over two seeds 0.04, and twice that for two methods that share no seed.
    assert!(seeds(0, 0) < 1e-12);
    near(seeds(0, 5), 0.08, 1e-9);
}

/// Two methods whose runs have the seeds given and differ by the seed alone, by the same on every passage.
fn of_seeds(first: &[u64], second: &[u64]) -> Vec<Option<Draws>> {
    let score = |seed: u64, _| 2.0 + 0.1 * (seed as f64).powi(2);
    let methods = [first, second].map(|seeds| scored(seeds.iter().copied(), 9, score));
    FAST.scores(&[Panel::new(&methods)]).remove(0)
}

#[test]
fn seeds_that_both_have_are_paired() {
    let scores = of_seeds(&[0, 1, 2], &[2, 3]);
    let [first, second] = two(&scores);
    // First: 2.0, 2.1, 2.4, mean 6.5/3, over sqrt(6): parts -1/6, -1/15, 7/30 times 0.408248. Second: 2.4, 2.9, over
    // sqrt(2): parts -1/4, 1/4 times 0.707107. Seed 2 adds to both.
    let (a, b) = (1.0 / 6.0_f64.sqrt(), 1.0 / 2.0_f64.sqrt());
    let parts: [f64; 4] = [-a / 6.0, -a / 15.0, a * 7.0 / 30.0 + b / 4.0, -b / 4.0];
    let wanted: f64 = parts.iter().map(|part| part * part).sum();
    near(first.minus(second).variance().seeds, wanted, 1e-9);
}

#[test]
fn one_run_borrows_the_spread_of_others() {
    let mut scores = vec![of_seeds(&[0, 1, 2], &[7])];
    let before = scores[0][1].as_ref().expect("a run").weaknesses();
    assert_eq!(before, [Weakness::OneSeed, Weakness::FewPassages]);
    lend(&mut scores, |_| true, |_| true);
    let [many, single] = two(&scores[0]);
    let variance = standard_deviation(&[2.0, 2.1, 2.4]).expect("three").powi(2);
    near(single.variance().seeds, variance, 1e-9);
    near(many.variance().seeds, variance / 3.0, 1e-9);
    // Independent of the lender's own: both variances add up.
    let difference = single.minus(many);
    near(difference.variance().seeds, variance * 4.0 / 3.0, 1e-9);
    assert_eq!(
        difference.weaknesses(),
        [Weakness::Borrowed, Weakness::FewPassages]
    );
    // Not if it may not borrow, and not without lenders.
    let mut fixed = vec![of_seeds(&[0, 1, 2], &[7])];
    lend(&mut fixed, |_| true, |method| method == 0);
    lend(&mut fixed, |method| method == 1, |_| true);
    assert_eq!(fixed[0], of_seeds(&[0, 1, 2], &[7]));
    let mut alone = vec![of_seeds(&[4], &[7])];
    lend(&mut alone, |_| true, |_| true);
    assert_eq!(alone[0], of_seeds(&[4], &[7]));
}

#[test]
fn source_and_target_share_the_seed() {
    // Source and target differ by 0.2 in every run, so the gap does not vary with the seed.
    let domain = |shift: f64| {
        let score = |seed: u64, _| [0.3, 0.5, 0.9][seed as usize] - shift;
        Panel::new(&[scored(0..3, 9, score)])
    };
    let scores = FAST.scores(&[domain(0.0), domain(0.2)]);
    let draws = |panel: usize| scores[panel][0].as_ref().expect("one method");
    let gap = draws(0).minus(draws(1)).estimate();
    assert!((gap.value - 0.2).abs() < 1e-12);
    assert!((gap.interval.high - gap.interval.low).abs() < 1e-9);
    let mean = Draws::mean(&[draws(0), draws(1)]).expect("two").estimate();
    assert!((mean.value - (1.7 / 3.0 - 0.1)).abs() < 1e-12);
}

#[test]
fn a_ratio_is_resampled_as_a_ratio() {
    // Every run retains four fifths of its source score, whatever is drawn.
    let mut normal = Normal::new(12);
    let source = runs(&mut normal, 3, 40, 0.05, 0.1);
    let mut target = source.clone();
    (target.iter_mut()).for_each(|sample| sample.sum.numerator *= 0.8);
    let scores = FAST.scores(&[Panel::new(&[source, target])]);
    let [source, target] = two(&scores[0]);
    let kept = target.over(source).expect("not zero").estimate();
    assert!((kept.value - 0.8).abs() < 1e-12);
    assert!((kept.interval.high - kept.interval.low).abs() < 1e-9);
    let nothing = source.minus(source);
    assert_eq!(source.over(&nothing), None);
}

#[test]
fn p_values_and_intervals_agree() {
    for study in 0..60 {
        let mut normal = Normal::new(100 + study);
        let mut samples = runs(&mut normal, 3, 40, 0.02, 0.3);
        (samples.iter_mut()).for_each(|sample| sample.sum.numerator -= 0.4);
        let draws = one(samples, FAST);
        let p = draws.p_value().expect("something varies");
        let excluded = draws.estimate().interval.excludes(0.0);
        assert_eq!(p < 0.05, excluded, "p {p}, {:?}", draws.estimate());
    }
    // No shares, and nothing varies.
    assert_eq!(one(scored([0], 2, |_, _| 2.0), FAST).p_value(), None);
}

#[test]
fn the_detectable_difference_is_found_in_four_of_five_studies() {
    // Passages alone: 2.8 standard errors.
    let mut normal = Normal::new(13);
    let draws = one(runs(&mut normal, 1, 400, 0.0, 0.3), FAST);
    let error = draws.variance().standard_error();
    near(draws.detectable(), 2.808 * error, 0.002);
    // Seeds alone: SciPy's nct.sf(4.3027, 2, 5.6535) is 0.8. The sum of both quantiles would be 5.36, which 77 find.
    let three = one(three_seeds(), FAST);
    let ratio = three.detectable() / three.variance().standard_error();
    near(ratio, 5.653_489, 0.01);
    // And as simulated: three runs whose mean lies so far from 0.
    let studies = 2_000;
    let found = (0..studies).filter(|_| {
        let samples = (0..3).flat_map(|seed| {
            let score = ratio / 3.0_f64.sqrt() + normal.next();
            [sample(seed, 0, score), sample(seed, 1, score)]
        });
        let draws = one(samples.collect(), Bootstrap::new(20, 1));
        draws.estimate().interval.low > 0.0
    });
    let power = found.count() as f64 / f64::from(studies);
    assert!((power - 0.8).abs() < 0.03, "{power}");
}

#[test]
fn one_seed_gives_one_answer() {
    let mut normal = Normal::new(4);
    let samples = runs(&mut normal, 3, 30, 0.1, 0.2);
    let panels = [Panel::new(&[samples, Vec::new()])];
    let scores = FAST.scores(&panels);
    assert_eq!(scores, FAST.scores(&panels));
    assert_eq!(scores[0][1], None);
    assert_ne!(scores, Bootstrap { seed: 8, ..FAST }.scores(&panels));
}

#[test]
fn a_large_study_takes_moments() {
    let mut normal = Normal::new(9);
    let panels: Vec<Panel> = (0..9)
        .map(|_| {
            let mut method = || runs(&mut normal, 5, 300, 0.05, 0.3);
            Panel::new(&[method(), method()])
        })
        .collect();
    let start = Instant::now();
    Bootstrap::default().scores(&panels);
    let took = start.elapsed();
    println!("9 domains, 2 methods, 5 seeds, 300 passages: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn logits_and_differences_from_constants_have_the_variance_of_their_tangent() {
    let mut normal = Normal::new(5);
    let draws = one(runs(&mut normal, 4, 200, 0.02, 0.1), FAST);
    let logit = draws.logit().expect("inside (0, 1)");
    let slope = 1.0 / (draws.value() * (1.0 - draws.value()));
    let error = |draws: &Draws| draws.variance().standard_error();
    near(error(&logit), slope * error(&draws), 0.02);
    assert_eq!(logit.value(), (draws.value() / (1.0 - draws.value())).ln());
    let above = draws.above(0.25);
    assert_eq!(error(&above), error(&draws));
    assert_eq!(above.value(), draws.value() - 0.25);
    assert_eq!(draws.above(0.5).minus(&draws).logit(), None);
}
