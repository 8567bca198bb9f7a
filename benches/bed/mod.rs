//! The benchmarks' backbones, batches and trainers, the same for time and memory.

use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::Batch;
use promptshift::device;
use promptshift::layers::Tokens;
use promptshift::recipe::{Defaults, Method, Objective, Recipe, Schedule};
use promptshift::t5::{Initialisation, T5, T5Config, initialise};
use promptshift::train::{Course, TensorBytes, Trainer, optimizer};
use promptshift::tuning::{self, MethodInputs};

/// Starts like the binary: allocates all threads' buffers, so that peaks exclude them.
pub fn begin() {
    promptshift::memory::keep_freed_memory();
    promptshift::device::compute_on_this_thread();
}

/// The name of the device selected by `PROMPTSHIFT_DEVICE`, or of the CPU.
fn device_name() -> String {
    std::env::var(device::VARIABLE).unwrap_or_else(|_| device::CPU.to_string())
}

/// The device of [`device_name`].
pub fn device() -> Device {
    device::find(&device_name()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        std::process::exit(2)
    })
}

/// A model's name in ids: on other devices than the CPU followed by the device and the precision of its products, as in
/// `small@cuda:0,tf32`.
#[allow(
    dead_code,
    reason = "each bench is a binary of its own, and memory is measured of methods alone"
)]
pub fn model(backbone: &Backbone) -> String {
    placed(&backbone.name, backbone)
}

fn placed(name: &str, backbone: &Backbone) -> String {
    let place = device_name();
    match place == device::CPU {
        true => name.to_string(),
        false => {
            let precision = device::precision(&backbone.model.device());
            format!("{name}@{place},{precision}")
        }
    }
}

/// Work that is done before any is measured, after it has been done once. Other devices than the CPU tune their kernels
/// for every new shape, and the optimiser's update has all of its own from the second step on.
pub fn warm_up(device: &Device, mut work: impl FnMut()) {
    if device_name() != device::CPU {
        (0..2).for_each(|_| work());
    }
    device.sync().expect("the device works");
}

/// The bundled miniature.
pub fn nano(device: &Device) -> Backbone {
    BackboneChoice::Nano
        .load(device)
        .expect("the miniature is bundled")
}

/// T5 v1.1 small with random weights; its tokenizer is the miniature's and is not used for batches.
pub fn small(device: &Device) -> Backbone {
    let config = T5Config::published("small").expect("a published size");
    let weights = initialise(&config, Initialisation::Published, 0);
    Backbone {
        name: "small".to_string(),
        model: T5::load(&config, weights, device)
            .expect("weights made for this configuration")
            .into(),
        config: config.into(),
        ..nano(device)
    }
}

/// A batch of `examples` inputs of `length` tokens and targets of 16.
pub fn batch(backbone: &Backbone, examples: usize, length: usize) -> Batch {
    let [inputs, targets] = [length, 16].map(|width| Tokens {
        soft: Vec::new(),
        // Any ids except padding and end of sequence.
        ids: (0..(examples * width) as u32)
            .map(|i| 2 + i % (backbone.config.vocabulary() as u32 - 2))
            .collect(),
        lengths: vec![width; examples],
        width,
    });
    Batch { inputs, targets }
}

/// The methods that train something; without intrinsic prompt tuning, which needs a file first.
pub fn trained() -> impl Iterator<Item = Method> {
    Method::offered().filter(|method| {
        let left_out = [Method::Untuned, Method::Intrinsic];
        !left_out.contains(method) && Recipe::default_for(Defaults::Nano, *method).trains()
    })
}

fn recipe(backbone: &Backbone, method: Method) -> Recipe {
    let defaults = match backbone.name.as_str() {
        "nano" => Defaults::Nano,
        _ => Defaults::T5,
    };
    let mut recipe = Recipe::default_for(defaults, method);
    if tuning::wants_labels(&recipe) {
        // Two labels of one token, and the end of sequence.
        recipe.label_ids = vec![1, 2, 3];
    }
    recipe
}

/// The bytes of the tensors held during a training of [`trainer`].
#[allow(
    dead_code,
    reason = "each bench is a binary of its own, and times need no bytes"
)]
pub fn tensors(backbone: &Backbone, method: Method, trainer: &Trainer) -> TensorBytes {
    TensorBytes::of(trainer.tuned(), &recipe(backbone, method).optimizer)
}

/// The paper's dropout, for all models but the miniature.
pub const DROPOUT: f64 = 0.1;

/// A benchmark's name: method, model, dropout if any, and the device if it is not the CPU.
pub fn name(backbone: &Backbone, method: Method, dropout: f64) -> String {
    let name = format!("{}/{}", method.name(), backbone.name);
    let name = match dropout {
        0.0 => name,
        rate => format!("{name}-dropout-{rate}"),
    };
    placed(&name, backbone)
}

/// A training with a method's default recipe, except for the dropout.
pub fn trainer(backbone: &Backbone, method: Method, dropout: f64) -> Trainer {
    let recipe = recipe(backbone, method);
    let tuned = tuning::apply(backbone, &recipe, &MethodInputs::default(), 0)
        .expect("default recipes can be met");
    let course = Course {
        // Losses of random weights must stay finite throughout the timing.
        learning_rate: 1e-6,
        schedule: Schedule::Constant,
        steps: usize::MAX,
    };
    let objective = Objective {
        dropout,
        ..recipe.objective
    };
    let optimizer = optimizer(&recipe.optimizer);
    Trainer::new(tuned, optimizer, course, objective, 0)
}
