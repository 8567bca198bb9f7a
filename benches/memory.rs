//! Peak memory of a training step of each method and its parts, as a custom criterion measurement:
//! `cargo bench --bench memory`. The unit is bytes; the parts, of the highest step, are those of records
//! (`promptshift::record::PeakParts`).
//!
//! On the CPU, the peak is the maximum of bytes allocated at once, weights included; on a device with memory of its own
//! it is what the device's pools have reserved for a step ([`promptshift::memory::reserved`]).

mod bed;

use std::thread::sleep;
use std::time::Duration;

use burn::tensor::Device;
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group};
use promptshift::backbone::Backbone;
use promptshift::memory::{peak_of, release_unused, reserved};
use promptshift::recipe::Method;
use promptshift::record::{Moment, PeakParts};

/// Measures bytes instead of seconds.
struct Bytes;

impl Measurement for Bytes {
    type Intermediate = ();
    type Value = u64;

    fn start(&self) -> Self::Intermediate {}

    /// Peaks are measured inside the benchmark: a peak belongs to one step, not to several.
    fn end(&self, _: Self::Intermediate) -> u64 {
        unreachable!("every benchmark here is an iter_custom")
    }

    fn add(&self, one: &u64, two: &u64) -> u64 {
        one + two
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

const MEGABYTE: f64 = 1e6;

impl ValueFormatter for Bytes {
    fn scale_values(&self, _: f64, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|value| *value /= MEGABYTE);
        "MB"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, values: &mut [f64]) -> &'static str {
        self.scale_values(0.0, values)
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "B"
    }
}

/// The peak bytes of `work`: reserved on the device, or allocated on the host if tensors are there.
fn bytes_of(device: &Device, work: impl FnOnce()) -> u64 {
    release_unused(device);
    let ((), host) = peak_of(work);
    device.sync().expect("the device works");
    reserved(device).unwrap_or(host)
}

/// A part of a peak: its group's name and its value.
type Part = (&'static str, fn(&PeakParts) -> u64);

/// Activations last: on a device they are not measured.
const PARTS: [Part; 4] = [
    ("peak_memory/weights", |parts| parts.weights),
    ("peak_memory/gradients", |parts| parts.gradients),
    ("peak_memory/optimizer_state", |parts| parts.optimizer_state),
    ("peak_memory/activations", |parts| parts.activations),
];

/// The shortest warm-up criterion accepts.
const WARM_UP: Duration = Duration::from_millis(1);

fn group<'a>(c: &'a mut Criterion<Bytes>, name: &str) -> BenchmarkGroup<'a, Bytes> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.warm_up_time(WARM_UP);
    group.measurement_time(WARM_UP);
    group
}

fn train_step(c: &mut Criterion<Bytes>) {
    let device = bed::device();
    let mut measure = |backbone: &Backbone, method, dropout, [examples, length]: [usize; 2]| {
        let batch = bed::batch(backbone, examples, length);
        let mut trainer = bed::trainer(backbone, method, dropout);
        // The optimiser's state exists from the second step on.
        trainer.step(&batch).expect("a finite loss");
        bed::warm_up(&device, || {
            trainer.step(&batch).expect("a finite loss");
        });
        let id = BenchmarkId::new(bed::name(backbone, method, dropout), length);
        let mut whole = group(c, "peak_memory/train_step");
        whole.bench_function(id.clone(), |b| {
            b.iter_custom(|steps| {
                (0..steps)
                    .map(|_| bytes_of(&device, || drop(trainer.step(&batch))))
                    .sum()
            });
        });
        whole.finish();
        let tensors = bed::tensors(backbone, method, &trainer);
        let (parts, measured) = match reserved(&device) {
            None => {
                let highest = trainer.peak().expect("steps were taken");
                (highest.parts(&tensors), &PARTS[..])
            }
            Some(_) => {
                let parts = PeakParts {
                    moment: Moment::Backward,
                    weights: tensors.weights,
                    gradients: tensors.trainable,
                    optimizer_state: tensors.optimizer_state,
                    activations: 0,
                };
                (parts, &PARTS[..3])
            }
        };
        for (name, part) in measured {
            let mut one = group(c, name);
            // Reports a known number as the measurement. Criterion doubles the iterations of an instantaneous
            // workload until their number overflows, hence the sleep.
            one.bench_function(id.clone(), |b| {
                b.iter_custom(|steps| {
                    sleep(WARM_UP);
                    steps * part(&parts)
                });
            });
            one.finish();
        }
    };
    let nano = bed::nano(&device);
    for method in bed::trained() {
        measure(&nano, method, 0.0, [16, 128]);
    }
    let small = bed::small(&device);
    for method in [Method::Prompt, Method::Lora, Method::Model] {
        for dropout in [0.0, bed::DROPOUT] {
            measure(&small, method, dropout, [8, 256]);
        }
    }
}

criterion_group! {
    name = memory;
    config = Criterion::default().with_measurement(Bytes);
    targets = train_step
}

fn main() {
    bed::begin();
    memory();
    Criterion::default().configure_from_args().final_summary();
}
