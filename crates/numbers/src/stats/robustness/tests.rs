use super::*;
use crate::stats::bootstrap::Bootstrap;
use crate::stats::estimate::normal_quantile;
use crate::stats::panel::{Panel, Sample, Sum};
use crate::stats::tests::Normal;

fn on_line(sources: &[f64]) -> Vec<Point> {
    let target = |source: f64| sigmoid(0.8 * logit(source) - 0.5);
    let points = sources.iter().zip(0..);
    points
        .map(|(source, place)| Point::new(*source, target(*source), place / 2))
        .collect()
}

#[test]
fn points_on_a_line_are_fitted_exactly() {
    let line = fit(&on_line(&[0.3, 0.4, 0.5, 0.6, 0.7, 0.8])).expect("six points");
    assert!((line.slope - 0.8).abs() < 1e-9 && (line.intercept + 0.5).abs() < 1e-9);
    assert!((line.r_squared - 1.0).abs() < 1e-9);
    let expected = line.expected(0.55).expect("inside");
    assert!((expected.value - sigmoid(0.8 * logit(0.55) - 0.5)).abs() < 1e-9);
}

/// Runs with these probabilities of a right answer on source and target, one example per passage.
fn scores(chances: &[(f64, f64)], passages: usize) -> [Draws; 2] {
    let on = |place: u64, chance: &dyn Fn(&(f64, f64)) -> f64| {
        let mut normal = Normal::new(place);
        let ease: Vec<f64> = (0..passages).map(|_| normal.next()).collect();
        let samples = chances.iter().zip(0..).flat_map(|(run, seed)| {
            let cut = normal_quantile(chance(run));
            ease.iter().enumerate().map(move |(at, ease)| {
                let right = f64::from(u8::from(*ease < cut));
                Sample::new(seed, format!("{at:04}"), Sum::once(right))
            })
        });
        let panel = Panel::new(&[samples.collect()]);
        let mut draws = FAST.scores(&[panel]);
        draws.remove(0).remove(0).expect("samples")
    };
    [on(1, &|run| run.0), on(2, &|run| run.1)]
}

const FAST: Bootstrap = Bootstrap::new(500, 3);

#[test]
fn the_distance_above_a_line_has_the_errors_of_passages_line_and_seeds() {
    let at = |x: f64, lift: f64| (sigmoid(x), sigmoid(0.8 * x - 0.5) + lift);
    let stops = [-0.8, -0.2, 0.4, 1.0].map(|x| scores(&[at(x, 0.0), at(x + 0.1, 0.01)], 400));
    let stops = stops
        .each_ref()
        .map(|[source, target]| Scores::new(source, target));
    let points: Vec<Point> = stops.iter().flat_map(|scores| scores.points()).collect();
    let line = fit(&points).expect("eight points of two runs");
    let above = |runs: [(f64, f64); 2]| {
        let [source, target] = scores(&runs.map(|(x, lift)| at(x, lift)), 400);
        line.above(&stops, Scores::new(&source, &target))
            .expect("inside")
    };
    let none = above([(0.3, 0.0), (0.31, 0.0)]);
    assert!(!none.interval.excludes(0.0), "{none:?}");
    let some = above([(0.3, 0.15), (0.31, 0.15)]);
    assert!((some.value - none.value - 0.15).abs() < 0.03, "{some:?}");
    let width = |one: Estimate| one.interval.high - one.interval.low;
    // Variation of seeds along the line adds nothing, variation across it does.
    let along = above([(0.1, 0.0), (0.5, 0.0)]);
    assert!(width(along) < 1.6 * width(none), "{along:?} {none:?}");
    let beside = above([(0.3, -0.1), (0.31, 0.1)]);
    assert!(width(beside) > 2.0 * width(none), "{beside:?} {none:?}");
}

#[test]
fn resamples_without_a_slope_use_the_line_of_all_the_data() {
    // Runs whose source scores differ on only one of six passages: if it is not drawn, all are equal.
    let runs = |rights: [[usize; 2]; 2]| {
        let [source, target] = [0, 1].map(|domain| {
            let samples = rights.iter().zip(0..).flat_map(|(right, seed)| {
                (0..6).map(move |passage| {
                    let more = if passage == 5 { right[domain] } else { 0 };
                    let sum = Sum::once(0.5 + 0.05 * more as f64);
                    Sample::new(seed, passage.to_string(), sum)
                })
            });
            let panel = Panel::new(&[samples.collect()]);
            FAST.scores(&[panel]).remove(0).remove(0).expect("samples")
        });
        [source, target]
    };
    let stops = [0, 2, 4, 6].map(|at| runs([[at, at], [at + 1, at + 1]]));
    let stops = stops
        .each_ref()
        .map(|[source, target]| Scores::new(source, target));
    let (slope, intercept) = (0.8, -0.5);
    let line = Line {
        slope,
        intercept,
        r_squared: 1.0,
        scatter: 0.0,
        points: 8,
        runs: 2,
        low: 0.1,
        high: 0.9,
        without: vec![Straight { slope, intercept }; 2],
    };
    let [source, target] = runs([[3, 3], [4, 4]]);
    let above = line
        .above(&stops, Scores::new(&source, &target))
        .expect("inside");
    let Interval { low, high } = above.interval;
    let is_finite = low.is_finite() && high.is_finite();
    assert!(is_finite && low < high, "{above:?}");
}

#[test]
fn falling_lines_and_points_off_a_line_are_refused() {
    let [source, target] = scores(&[(0.5, 0.5), (0.55, 0.5)], 40);
    let method = Scores::new(&source, &target);
    let line = |slope: f64, noise: f64| {
        let points = (0..8_usize).map(|at| {
            let x = -0.8 + 0.25 * at as f64;
            let off = [noise, -noise][at % 2];
            Point::new(sigmoid(x), sigmoid(slope * x + off), at / 2)
        });
        fit(&points.collect::<Vec<_>>()).expect("eight points of four runs")
    };
    let of = |line: Line| line.above(&[], method);
    assert!(matches!(of(line(-0.5, 0.0)), Err(Unfitted::Falling { .. })));
    assert!(matches!(of(line(0.5, 0.6)), Err(Unfitted::Loose { .. })));
    assert!(of(line(0.5, 0.1)).is_ok());
}

#[test]
fn checkpoints_do_not_count_as_runs() {
    // Three runs, each on its own parallel line: more points of these runs say no more about the distance between
    // runs.
    let points = |each: usize| -> Vec<Point> {
        let places = (0..3).flat_map(|run| (0..each).map(move |place| (run, place)));
        places
            .map(|(run, place)| {
                let x = -1.0 + 2.0 * place as f64 / (each - 1) as f64;
                let y = 0.8 * x + [-0.2, 0.0, 0.2][run];
                Point::new(sigmoid(x), sigmoid(y), run)
            })
            .collect()
    };
    for each in [2, 4, 40] {
        let line = fit(&points(each)).expect("six points or more");
        assert_eq!((line.runs, line.points), (3, 3 * each));
        // Leaving out a run moves the line by half its distance: 2/3 (0.1² + 0 + 0.1²) = 0.02/1.5.
        let half = 4.302_652_729_9 * (0.02 / 1.5_f64).sqrt();
        let band = line.expected(0.5).expect("inside").interval;
        assert!((band.high - sigmoid(half)).abs() < 1e-8, "{each}: {band:?}");
        assert!((band.low - sigmoid(-half)).abs() < 1e-8, "{each}: {band:?}");
    }
}

#[test]
fn points_that_cannot_be_fitted_are_refused() {
    assert_eq!(fit(&on_line(&[0.3, 0.8])), Err(Unfitted::Few { found: 2 }));
    let close = on_line(&[0.800, 0.801, 0.802, 0.803, 0.804, 0.805]);
    assert!(matches!(fit(&close), Err(Unfitted::Close { .. })));
    let mut bound = on_line(&[0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
    bound[0].target = 0.0;
    assert_eq!(fit(&bound), Err(Unfitted::Bound));
    let mut one = on_line(&[0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
    one.iter_mut().for_each(|point| point.run = 7);
    assert_eq!(fit(&one), Err(Unfitted::OneRun));
    let hangs = on_line(&[0.3, 0.4, 0.801, 0.802, 0.803, 0.804]);
    assert_eq!(fit(&hangs), Err(Unfitted::Hangs));
    let line = fit(&on_line(&[0.3, 0.4, 0.5, 0.6, 0.7, 0.8])).expect("six points");
    assert!(matches!(line.expected(0.81), Err(Unfitted::Outside { .. })));
    assert!(line.expected(0.29).is_err() && line.expected(f64::NAN).is_err());
}
