//! The worlds from which studies are simulated.
//!
//! The logit of the probability of a right answer is the sum of effects of domain and method, of the run, of the
//! passage, and of the interaction of run and passage.

use promptshift_numbers::stats::panel::{Panel, Sample, Sum};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// The runs of one method.
#[derive(Debug, Clone, Copy)]
pub struct MethodWorld {
    /// Seeds of its runs: from, to (exclusive).
    pub seeds: (u64, u64),
    /// The logit of a right answer on the source.
    pub source: f64,
    /// The logit on the targets.
    pub target: f64,
    /// The standard deviation of the logit between runs.
    pub between: f64,
    /// The share of runs that collapse to a probability of [`COLLAPSED`] on every domain.
    pub collapse: f64,
}

/// A world from which studies are drawn.
#[derive(Debug, Clone)]
pub struct World {
    pub name: &'static str,
    /// The methods; differences are between the first two.
    pub methods: Vec<MethodWorld>,
    pub targets: usize,
    pub passages: usize,
    /// The number of questions of a passage, by its index.
    pub questions: fn(usize) -> usize,
}

/// The probability of a right answer in a collapsed run.
const COLLAPSED: f64 = 0.1;

/// The standard deviation of the logit between passages, the same for all runs.
const PASSAGES: f64 = 1.0;

/// The standard deviation of the logit between passages, independent for each run.
const OWN: f64 = 0.7;

/// The share of a run's deviation that is common to all domains; the rest is specific to a domain.
const EVERYWHERE: f64 = 0.5;

/// The share of a run's deviation that it has in common with runs of other methods with the same seed.
const OF_THE_SEED: f64 = 0.3;

/// 5 points between runs at a score near 70.
const LARGE: f64 = 0.30;

/// 2 points between runs at a score near 70.
const MIDDLE: f64 = 0.12;

/// Half a point between runs at a score near 70.
const SMALL: f64 = 0.03;

fn method(seeds: (u64, u64), source: f64, target: f64, between: f64) -> MethodWorld {
    MethodWorld {
        seeds,
        source,
        target,
        between,
        collapse: 0.0,
    }
}

/// Two methods with one target.
fn pair(name: &'static str, first: (u64, u64), second: (u64, u64)) -> World {
    World {
        name,
        methods: vec![
            method(first, 1.0, 0.2, MIDDLE),
            method(second, 1.3, 0.3, MIDDLE),
        ],
        targets: 1,
        passages: 100,
        questions: few,
    }
}

fn few(passage: usize) -> usize {
    1 + passage % 4
}

/// A twentieth of the passages have forty questions, together as many as all other passages.
fn unequal(passage: usize) -> usize {
    if passage.is_multiple_of(20) {
        40
    } else {
        few(passage)
    }
}

pub fn worlds() -> Vec<World> {
    let five = (0, 5);
    let change = |mut world: World, change: fn(&mut MethodWorld)| {
        world.methods.iter_mut().for_each(change);
        world
    };
    let unlike = |name, first, second| {
        let mut world = pair(name, first, second);
        world.methods[0].between = LARGE;
        world.methods[1].between = SMALL;
        world
    };
    vec![
        pair("five seeds a side", five, five),
        pair("three seeds a side", (0, 3), (0, 3)),
        pair("two seeds a side", (0, 2), (0, 2)),
        pair("one seed a side", (0, 1), (0, 1)),
        pair("one seed against five", (0, 1), five),
        change(
            pair("one seed a side, 5 points between runs", (0, 1), (0, 1)),
            |m| m.between = LARGE,
        ),
        change(
            pair("one seed against five, 5 points between runs", (0, 1), five),
            |m| m.between = LARGE,
        ),
        unlike(
            "one seed, 5 points between runs, against five with half a point",
            (0, 1),
            five,
        ),
        pair("seeds 0–4 against 3–7", five, (3, 8)),
        change(
            pair("seeds 0–4 against 3–7, 5 points between runs", five, (3, 8)),
            |m| m.between = LARGE,
        ),
        unlike("5 points between runs against half a point", five, five),
        unlike("the same, seeds 0–4 against 5–9", five, (5, 10)),
        unlike("the same, seeds 0–2 against 3–5", (0, 3), (3, 6)),
        change(
            pair("5 points between runs, two seeds", (0, 2), (0, 2)),
            |m| m.between = LARGE,
        ),
        change(
            pair("5 points between runs, three seeds", (0, 3), (0, 3)),
            |m| m.between = LARGE,
        ),
        change(pair("5 points between runs, five seeds", five, five), |m| {
            m.between = LARGE
        }),
        change(
            pair("a fifth of the runs collapse, five seeds", five, five),
            |m| m.collapse = 0.2,
        ),
        change(
            pair("a fifth of the runs collapse, ten seeds", (0, 10), (0, 10)),
            |m| m.collapse = 0.2,
        ),
        change(pair("near the ceiling (97)", five, five), |m| {
            (m.source, m.target) = (4.2, 4.0)
        }),
        World {
            passages: 30,
            ..change(pair("near the ceiling, 30 passages", five, five), |m| {
                (m.source, m.target) = (4.4, 4.2);
            })
        },
        World {
            passages: 30,
            ..change(
                pair("near the ceiling, 30 passages, one seed", (0, 1), (0, 1)),
                |m| {
                    (m.source, m.target, m.between) = (4.4, 4.2, 0.0);
                },
            )
        },
        change(pair("near zero (3)", five, five), |m| {
            (m.source, m.target) = (-4.0, -4.2)
        }),
        World {
            passages: 20,
            ..pair("20 passages", five, five)
        },
        World {
            questions: unequal,
            ..pair("passages of very unequal size", five, five)
        },
        World {
            targets: 6,
            ..pair("mean of six targets, three seeds", (0, 3), (0, 3))
        },
        World {
            targets: 6,
            methods: vec![
                method((0, 3), 1.0, 0.2, LARGE),
                method((0, 3), 1.3, 0.3, SMALL),
                method((0, 3), 1.2, 0.3, MIDDLE),
            ],
            ..pair(
                "mean of six targets, three methods of unequal variance",
                (0, 3),
                (0, 3),
            )
        },
    ]
}

/// The random deviates of one study.
pub struct Deviates(pub ChaCha8Rng);

impl Deviates {
    fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// A normal deviate with mean 0 and variance 1 (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The expected score over runs and passages, by the trapezoidal rule.
pub fn truth(method: MethodWorld, logit: f64) -> f64 {
    let deviation = (method.between.powi(2) + PASSAGES.powi(2) + OWN.powi(2)).sqrt();
    let density = |z: f64| (-0.5 * z * z).exp();
    let grid = || (-800..=800).map(|step| f64::from(step) / 100.0);
    let sum: f64 = grid()
        .map(|z| density(z) * sigmoid(logit + deviation * z))
        .sum();
    let mean = sum / grid().map(density).sum::<f64>();
    (1.0 - method.collapse) * mean + method.collapse * COLLAPSED
}

impl World {
    pub fn domains(&self) -> usize {
        1 + self.targets
    }

    /// The panels of one study, source first.
    pub fn study(&self, deviates: &mut Deviates) -> Vec<Panel> {
        let seeds = self
            .methods
            .iter()
            .map(|method| method.seeds.1)
            .max()
            .unwrap_or(0);
        // The deviation common to runs with the same seed: over all domains, then on each domain.
        let shared: Vec<Vec<f64>> = (0..seeds)
            .map(|_| (0..=self.domains()).map(|_| deviates.normal()).collect())
            .collect();
        let runs: Vec<Vec<(u64, Vec<f64>, bool)>> = (self.methods.iter())
            .map(|method| {
                let run = |seed: u64| {
                    let own: Vec<f64> = (0..=self.domains()).map(|_| deviates.normal()).collect();
                    let both = |place: usize| {
                        OF_THE_SEED.sqrt() * shared[seed as usize][place]
                            + (1.0 - OF_THE_SEED).sqrt() * own[place]
                    };
                    let on = |domain: usize| {
                        method.between
                            * (EVERYWHERE.sqrt() * both(0)
                                + (1.0 - EVERYWHERE).sqrt() * both(1 + domain))
                    };
                    let shifts = (0..self.domains()).map(on).collect();
                    (seed, shifts, deviates.uniform() < method.collapse)
                };
                (method.seeds.0..method.seeds.1).map(run).collect()
            })
            .collect();
        (0..self.domains())
            .map(|domain| {
                let eases: Vec<f64> = (0..self.passages)
                    .map(|_| PASSAGES * deviates.normal())
                    .collect();
                let methods: Vec<Vec<Sample>> = (self.methods.iter().zip(&runs))
                    .map(|(method, runs)| {
                        let logit = if domain == 0 {
                            method.source
                        } else {
                            method.target
                        };
                        let mut samples = Vec::new();
                        for (seed, shifts, collapsed) in runs {
                            for (passage, ease) in eases.iter().enumerate() {
                                let own = OWN * deviates.normal();
                                let chance = match collapsed {
                                    true => COLLAPSED,
                                    false => sigmoid(logit + shifts[domain] + ease + own),
                                };
                                let questions = (self.questions)(passage);
                                let right = (0..questions).filter(|_| deviates.uniform() < chance);
                                let sum = Sum::new(right.count() as f64, questions as f64);
                                samples.push(Sample::new(*seed, format!("{passage:04}"), sum));
                            }
                        }
                        samples
                    })
                    .collect();
                Panel::new(&methods)
            })
            .collect()
    }
}
