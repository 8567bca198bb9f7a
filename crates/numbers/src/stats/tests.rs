//! Simulated studies with a known truth: do intervals cover it in 95 of 100 studies, and are p values uniform under
//! the null hypothesis?
//!
//! Whole studies, whose coverage the docs and the report's cautions quote, are simulated by `cargo run -p
//! promptshift-numbers --example coverage`; the simulations here are smaller, with normal deviates. The short form
//! runs with every `cargo test`, the long form with
//!
//! ```sh
//! cargo test -p promptshift-numbers stats -- --ignored --nocapture
//! ```

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::bootstrap::{Bootstrap, Draws, lend};
use super::intervals::wilson;
use super::panel::{Panel, Sample, Sum};
use super::robustness::{self, Point};
use super::significance::{SignFlip, holm, mcnemar};

/// Normal deviates with mean 0 and variance 1 (Box & Muller 1958), independent of library versions.
pub(super) struct Normal(ChaCha8Rng);

/// The random stream of normal deviates; resamples use another.
const STREAM: u64 = u64::MAX;

impl Normal {
    pub(super) fn new(seed: u64) -> Normal {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        Normal(rng)
    }

    pub(super) fn next(&mut self) -> f64 {
        let mut uniform = || (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0;
        (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
    }
}

/// The variability of a simulated study: a score is 0.5 plus normal deviates.
#[derive(Debug, Clone, Copy)]
struct World {
    seeds: u64,
    passages: usize,
    /// Standard deviation between seeds.
    between: f64,
    /// Standard deviation between passages, the same for all seeds.
    shared: f64,
    /// Standard deviation between passages, independent for each run.
    own: f64,
}

/// One method's samples in a study; passages have one to four questions.
fn runs(world: World, normal: &mut Normal, shared: &[f64]) -> Vec<Sample> {
    (0..world.seeds)
        .flat_map(|seed| {
            let shift = 0.5 + world.between * normal.next();
            let sample = |(passage, ease): (usize, &f64)| {
                let questions = (1 + passage % 4) as f64;
                let score = shift + ease + world.own * normal.next();
                let sum = Sum::new(questions * score, questions);
                Sample::new(seed, format!("{passage:05}"), sum)
            };
            shared.iter().enumerate().map(sample).collect::<Vec<_>>()
        })
        .collect()
}

/// The draws of two methods on one domain.
pub(super) fn two(draws: &[Option<Draws>]) -> [&Draws; 2] {
    [0, 1].map(|method| draws[method].as_ref().expect("two methods with samples"))
}

fn passages(world: World, normal: &mut Normal) -> Vec<f64> {
    (0..world.passages)
        .map(|_| world.shared * normal.next())
        .collect()
}

/// One method's score in a simulated study.
fn score(world: World, resamples: usize, study: u64) -> Draws {
    let mut normal = Normal::new(1_000_000 + study);
    let shared = passages(world, &mut normal);
    let samples = runs(world, &mut normal, &shared);
    let mut scores = Bootstrap::new(resamples, study).scores(&[Panel::new(&[samples])]);
    scores.remove(0).remove(0).expect("samples")
}

/// The difference of two equally good methods on the same passages.
fn difference(world: World, resamples: usize, study: u64) -> Draws {
    let mut normal = Normal::new(2_000_000 + study);
    let shared = passages(world, &mut normal);
    let methods = [(); 2].map(|()| runs(world, &mut normal, &shared));
    let scores = Bootstrap::new(resamples, study).scores(&[Panel::new(&methods)]);
    let [first, second] = two(&scores[0]);
    first.minus(second)
}

/// The share of studies for which something holds.
fn share(studies: u64, holds: impl Fn(u64) -> bool + Sync) -> f64 {
    let found = (0..studies).into_par_iter().filter(|study| holds(*study));
    found.count() as f64 / studies as f64
}

fn coverage(world: World, studies: u64, resamples: usize) -> f64 {
    share(studies, |study| {
        let estimate = score(world, resamples, study).estimate();
        !estimate.interval.excludes(0.5)
    })
}

fn rejections(world: World, studies: u64, resamples: usize, level: f64) -> f64 {
    share(studies, |study| {
        let p = difference(world, resamples, study).p_value();
        p.expect("something varies") < level
    })
}

const fn world(seeds: u64, between: f64, shared: f64, own: f64) -> World {
    World {
        seeds,
        passages: 60,
        between,
        shared,
        own,
    }
}

/// Worlds with the range that their coverage must be in. Passages move the mean of a run by 0.3 / sqrt(60) = 0.04. If
/// seeds matter as much, intervals have their nominal coverage; if they do not, few seeds cannot show that, and
/// intervals are too wide.
const WORLDS: [(World, f64, f64); 12] = [
    (world(1, 0.0, 0.3, 0.0), 0.935, 0.965),
    (world(5, 0.04, 0.3, 0.1), 0.935, 0.97),
    (world(5, 0.04, 0.2, 0.3), 0.935, 0.975),
    (world(5, 0.12, 0.2, 0.3), 0.935, 0.965),
    (world(5, 0.0, 0.2, 0.3), 0.935, 0.975),
    (world(3, 0.04, 0.2, 0.3), 0.935, 0.975),
    (world(3, 0.12, 0.2, 0.3), 0.935, 0.97),
    (world(3, 0.12, 0.3, 0.1), 0.935, 0.975),
    (world(3, 0.0, 0.2, 0.3), 0.935, 0.985),
    (world(2, 0.04, 0.2, 0.3), 0.935, 0.995),
    (world(2, 0.12, 0.2, 0.3), 0.935, 0.97),
    (world(2, 0.0, 0.2, 0.3), 0.935, 0.999),
];

fn check_coverage(studies: u64, resamples: usize) {
    // Three standard errors of the simulation itself.
    let noise = 3.0 * (0.05_f64 * 0.95 / studies as f64).sqrt();
    for (world, least, most) in WORLDS {
        let found = coverage(world, studies, resamples);
        println!("{world:?}: {found:.4}");
        let wanted = least - noise..=most + noise;
        assert!(wanted.contains(&found), "{world:?}: {found}");
    }
}

#[test]
fn intervals_cover_the_truth() {
    check_coverage(400, 300);
}

#[test]
#[ignore = "minutes: the long form"]
fn intervals_cover_the_truth_long() {
    check_coverage(10_000, 1_000);
}

#[test]
fn one_run_against_five_covers_the_truth_with_a_borrowed_spread() {
    // Without a borrowed spread, in 76 of 100 studies.
    let (single, several) = (world(1, 0.12, 0.2, 0.3), world(5, 0.12, 0.2, 0.3));
    let found = share(600, |study| {
        let mut normal = Normal::new(5_000_000 + study);
        let shared = passages(single, &mut normal);
        let methods = [single, several].map(|world| runs(world, &mut normal, &shared));
        let mut scores = Bootstrap::new(300, study).scores(&[Panel::new(&methods)]);
        lend(&mut scores, |_| true, |_| true);
        let [first, second] = two(&scores[0]);
        !first.minus(second).estimate().interval.excludes(0.0)
    });
    println!("one against five: {found:.4}");
    assert!((0.93 - 0.027..=0.97 + 0.027).contains(&found), "{found}");
}

fn check_uniform(studies: u64, resamples: usize) {
    let noise = |level: f64| 3.0 * (level * (1.0 - level) / studies as f64).sqrt();
    // One run of each method, which varies with passages only: p is uniform.
    let single = world(1, 0.0, 0.2, 0.3);
    for level in [0.05, 0.25, 0.5, 0.75] {
        let found = rejections(single, studies, resamples, level);
        println!("one seed, p < {level}: {found:.4}");
        let apart = (found - level).abs();
        assert!(apart < 0.015 + noise(level), "{level}: {found}");
    }
    // Seeds that differ: at the level of the verdicts.
    for (seeds, between) in [(5, 0.04), (5, 0.12), (3, 0.12), (2, 0.12)] {
        let found = rejections(world(seeds, between, 0.2, 0.3), studies, resamples, 0.05);
        println!("{seeds} seeds, {between}, p < 0.05: {found:.4}");
        let most = 0.065 + noise(0.05);
        assert!(found < most, "{seeds} seeds, {between}: {found}");
    }
}

#[test]
fn p_values_are_uniform_under_the_null_hypothesis() {
    check_uniform(400, 300);
}

#[test]
#[ignore = "minutes: the long form"]
fn p_values_are_uniform_long() {
    check_uniform(10_000, 1_000);
}

/// Exchangeable paired sums; passages have one to four questions.
fn exchangeable(study: u64, passages: usize) -> Vec<[Sum; 2]> {
    let mut normal = Normal::new(3_000_000 + study);
    (0..passages)
        .map(|passage| {
            let questions = (1 + passage % 4) as f64;
            let ease = normal.next();
            [(); 2].map(|()| Sum::new(questions * (ease + normal.next()), questions))
        })
        .collect()
}

fn flip(permutations: usize, study: u64, passages: usize) -> f64 {
    let flip = SignFlip {
        permutations,
        seed: study,
    };
    flip.p_value(&exchangeable(study, passages))
        .expect("several passages")
}

fn check_flips(studies: u64, permutations: usize) {
    for passages in [8, 60] {
        for level in [0.05, 0.25, 0.5, 0.75] {
            let found = share(studies, |study| {
                flip(permutations, study, passages) <= level
            });
            println!("{passages} passages, p <= {level}: {found:.4}");
            let noise = 3.0 * (level * (1.0 - level) / studies as f64).sqrt();
            assert!((found - level).abs() < 0.015 + noise, "{level}: {found}");
        }
    }
}

#[test]
fn sign_flip_p_values_are_uniform_under_the_null_hypothesis() {
    check_flips(1_000, 199);
}

#[test]
#[ignore = "minutes: the long form"]
fn flips_are_uniform_long() {
    check_flips(20_000, 999);
}

#[test]
fn a_false_finding_among_several_targets_is_rare() {
    let studies = 600;
    let targets = 6;
    let found = share(studies, |study| {
        let p: Vec<f64> = (0..targets)
            .map(|target| flip(399, targets * study + target, 20))
            .collect();
        holm(&p).iter().any(|p| *p <= 0.05)
    });
    println!("any of six: {found:.4}");
    assert!(found < 0.05 + 0.027, "{found}");
}

/// Runs and checkpoints around a known line, logit target = 0.8 · logit source - 0.9, with a deviation for each run
/// and one for each point.
fn trajectories(runs: usize, between: f64, study: u64) -> Vec<Point> {
    const SOURCES: [f64; 6] = [-0.8, -0.2, 0.4, 1.0, 1.4, 1.6];
    let mut normal = Normal::new(4_000_000 + study);
    let sigmoid = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    (0..runs)
        .flat_map(|run| {
            let shift = between * normal.next();
            SOURCES.map(|place| {
                let source = place + 0.1 * normal.next();
                let target = 0.8 * source - 0.9 + shift + 0.1 * normal.next();
                Point::new(sigmoid(source), sigmoid(target), run)
            })
        })
        .collect()
}

fn check_bands(studies: u64) {
    let noise = 3.0 * (0.05_f64 * 0.95 / studies as f64).sqrt();
    let (source, truth) = (0.668_187_772, 0.417_430_411);
    for (runs, between) in [(2, 0.0), (2, 0.2), (3, 0.0), (3, 0.2), (5, 0.0), (5, 0.2)] {
        let found = share(studies, |study| {
            let line = robustness::fit(&trajectories(runs, between, study)).expect("spread");
            let band = line.expected(source).expect("inside").interval;
            !band.excludes(truth)
        });
        println!("{runs} runs, {between} between them: {found:.4}");
        let held = 0.935 - noise..=0.965 + noise;
        assert!(held.contains(&found), "{runs} runs, {between}: {found}");
    }
}

#[test]
fn bands_of_lines_through_checkpoints_cover_the_truth() {
    check_bands(2_000);
}

#[test]
#[ignore = "the long form"]
fn bands_of_lines_through_checkpoints_cover_the_truth_long() {
    check_bands(100_000);
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    f64::from(rng.next_u32()) / 4_294_967_296.0
}

#[test]
fn intervals_of_proportions_cover_the_truth() {
    // The coverage of Wilson's interval oscillates around 95 % with n and p.
    for (trials, chance) in [(500, 0.5), (500, 0.1), (1_503, 0.97)] {
        let found = share(4_000, |study| {
            let mut rng = ChaCha8Rng::seed_from_u64(study);
            let successes = (0..trials).filter(|_| uniform(&mut rng) < chance).count();
            let interval = wilson(successes, trials).expect("trials");
            !interval.excludes(chance)
        });
        println!("{chance} of {trials}: {found:.4}");
        assert!((found - 0.95).abs() < 0.015 + 0.01, "{chance}: {found}");
    }
}

#[test]
fn runs_that_differ_by_chance_are_rarely_significant() {
    // An exact test of counts is conservative: at most the level, and not far below it.
    let found = share(2_000, |study| {
        let mut rng = ChaCha8Rng::seed_from_u64(study);
        let pairs: Vec<(bool, bool)> = (0..500)
            .map(|_| (uniform(&mut rng) < 0.6, uniform(&mut rng) < 0.6))
            .collect();
        mcnemar(pairs).p_value <= 0.05
    });
    println!("McNemar: {found:.4}");
    assert!((0.02..0.065).contains(&found), "{found}");
}
