//! Our statistics against SciPy, statsmodels and scikit-learn: `tests/golden/make_statistics.py`.

use serde::Deserialize;

use super::calibration::{Outcome, Temperature, calibration, fit_temperature};
use super::estimate::{normal_quantile, student_quantile};
use super::intervals::{ratio_estimate, wilson};
use super::panel::Sum;
use super::robustness::{self, Point};
use super::runs::share_of_wins;
use super::significance::{SignFlip, holm, mcnemar};

#[derive(Deserialize)]
struct Golden {
    wilson: Vec<Proportion>,
    mcnemar: Vec<Discordant>,
    holm: Vec<Adjusted>,
    sign_flip: Vec<Flipped>,
    quantiles: Vec<Quantile>,
    clusters: Vec<Clusters>,
    lines: Vec<Fitted>,
    calibration: Vec<Calibrated>,
    wins: Vec<Wins>,
}

#[derive(Deserialize)]
struct Proportion {
    successes: usize,
    trials: usize,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Discordant {
    first_only: usize,
    second_only: usize,
    p: f64,
}

#[derive(Deserialize)]
struct Adjusted {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct Flipped {
    differences: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct Quantile {
    share: f64,
    freedom: Option<f64>,
    quantile: f64,
}

#[derive(Deserialize)]
struct Clusters {
    values: Vec<f64>,
    clusters: Vec<usize>,
    mean: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Fitted {
    source: Vec<f64>,
    target: Vec<f64>,
    runs: Vec<usize>,
    slope: f64,
    intercept: f64,
    r_squared: f64,
    at: f64,
    expected: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Calibrated {
    log_prob: Vec<f64>,
    right: Vec<bool>,
    brier: f64,
    nll: f64,
    ece: f64,
    risk_coverage: f64,
    temperature: f64,
}

#[derive(Deserialize)]
struct Wins {
    first: Vec<f64>,
    second: Vec<f64>,
    share: f64,
}

fn golden() -> Golden {
    let text = include_str!("../../../../tests/golden/statistics.json");
    serde_json::from_str(text).expect("the script wrote it")
}

fn close(found: f64, wanted: f64, tolerance: f64) {
    let scale = wanted.abs().max(1e-3);
    let holds = (found - wanted).abs() <= tolerance * scale;
    assert!(holds, "{found} is not {wanted}");
}

#[test]
fn proportions_are_statsmodels_s() {
    for wanted in golden().wilson {
        let found = wilson(wanted.successes, wanted.trials).expect("trials");
        close(found.low, wanted.low, 1e-9);
        close(found.high, wanted.high, 1e-9);
    }
}

#[test]
fn discordant_pairs_are_statsmodels_s() {
    for wanted in golden().mcnemar {
        let first = [(true, false)].repeat(wanted.first_only);
        let second = [(false, true)].repeat(wanted.second_only);
        close(mcnemar([first, second].concat()).p_value, wanted.p, 1e-8);
    }
}

#[test]
fn several_tests_are_statsmodels_s() {
    for wanted in golden().holm {
        for (found, wanted) in holm(&wanted.p).into_iter().zip(wanted.adjusted) {
            close(found, wanted, 1e-12);
        }
    }
}

#[test]
fn sign_flips_are_scipy_s() {
    // SciPy goes through all flips; ours are drawn: four standard errors of 100,000.
    let flip = SignFlip {
        permutations: 100_000,
        ..SignFlip::default()
    };
    for wanted in golden().sign_flip {
        let passages = wanted.differences.iter();
        let passages: Vec<[Sum; 2]> = passages.map(|one| [*one, 0.0].map(Sum::once)).collect();
        let found = flip.p_value(&passages).expect("several passages");
        let error = 4.0 * (wanted.p * (1.0 - wanted.p) / 1e5).sqrt() + 1e-5;
        assert!(
            (found - wanted.p).abs() < error,
            "{found} is not {}",
            wanted.p
        );
    }
}

#[test]
fn quantiles_are_scipy_s() {
    for wanted in golden().quantiles {
        let found = match wanted.freedom {
            None => normal_quantile(wanted.share),
            Some(freedom) => student_quantile(wanted.share, freedom),
        };
        close(found, wanted.quantile, 1e-7);
    }
}

#[test]
fn standard_errors_by_cluster_are_statsmodels_s() {
    for wanted in golden().clusters {
        let count = wanted.clusters.iter().max().expect("clusters") + 1;
        let mut sums = vec![Sum::default(); count];
        for (value, cluster) in wanted.values.iter().zip(&wanted.clusters) {
            sums[*cluster] += Sum::once(*value);
        }
        let found = ratio_estimate(&sums).expect("clusters");
        close(found.value, wanted.mean, 1e-9);
        close(found.interval.low, wanted.low, 1e-7);
        close(found.interval.high, wanted.high, 1e-7);
    }
}

#[test]
fn lines_are_statsmodels_s() {
    for wanted in golden().lines {
        let points: Vec<Point> = (wanted.source.iter().zip(&wanted.target))
            .zip(&wanted.runs)
            .map(|((source, target), run)| Point::new(*source, *target, *run))
            .collect();
        let line = robustness::fit(&points).expect("enough points");
        close(line.slope, wanted.slope, 1e-8);
        close(line.intercept, wanted.intercept, 1e-8);
        close(line.r_squared, wanted.r_squared, 1e-8);
        let expected = line.expected(wanted.at).expect("inside");
        close(expected.value, wanted.expected, 1e-8);
        close(expected.interval.low, wanted.low, 1e-6);
        close(expected.interval.high, wanted.high, 1e-6);
    }
}

#[test]
fn calibration_is_scikit_learn_s() {
    for wanted in golden().calibration {
        let outcomes: Vec<Outcome> = (wanted.log_prob.iter().zip(&wanted.right))
            .map(|(log_prob, right)| Outcome {
                log_prob: *log_prob,
                right: *right,
            })
            .collect();
        let found = calibration(&outcomes).expect("answers");
        close(found.brier, wanted.brier, 1e-9);
        close(found.nll, wanted.nll, 1e-9);
        close(found.ece, wanted.ece, 1e-9);
        close(found.risk_coverage, wanted.risk_coverage, 1e-9);
        let Temperature(temperature) = fit_temperature(&outcomes).expect("both kinds");
        close(temperature, wanted.temperature, 1e-4);
    }
}

#[test]
fn wins_are_mann_and_whitney_s() {
    for wanted in golden().wins {
        let found = share_of_wins(&wanted.first, &wanted.second).expect("runs");
        close(found, wanted.share, 1e-12);
    }
}
