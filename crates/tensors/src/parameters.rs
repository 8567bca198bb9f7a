//! Visits a module's parameters by path.

use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

/// Tracks the path of a parameter while a module is traversed. Enum variants (the kind of network) are not
/// part of it.
#[derive(Default)]
pub(crate) struct ParameterPath(Vec<String>);

impl ParameterPath {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_string());
        }
    }

    pub(crate) fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Makes the parameters at selected paths require gradients. What is trained is f32: updates are smaller than the
/// spacing of bf16.
pub(crate) fn train<M: Module>(module: M, trains: impl Fn(&str) -> bool) -> M {
    module.map(&mut Train {
        path: ParameterPath::default(),
        trains,
    })
}

struct Train<F> {
    path: ParameterPath,
    trains: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Train<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match (self.trains)(&self.path.to_string()) {
            true => param.map(|value| value.cast(DType::F32)).train(),
            false => param,
        }
    }
}

/// Holds large matrices in bf16: weights of linear layers, and the table of words. Norms, biases and tables of
/// positions are small, and stay f32.
pub(crate) fn in_bf16<M: Module>(module: M) -> M {
    module.map(&mut Round(ParameterPath::default()))
}

struct Round(ParameterPath);

/// The paths of the table of words.
const WORDS: [&str; 2] = ["embedding", "embeddings.words"];

impl ModuleMapper for Round {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.0.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.0.to_string();
        match D == 2 && (path.ends_with(".weight") || WORDS.contains(&path.as_str())) {
            true => param.map(|value| value.cast(DType::BF16)),
            false => param,
        }
    }
}

/// A parameter as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its path: field names and list indices, joined by dots.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
    /// Whether it requires gradients.
    pub trainable: bool,
}

/// Calls `see` with every parameter.
pub(crate) fn visit<M: Module>(module: &M, see: impl FnMut(Parameter)) {
    module.visit(&mut Visit {
        path: ParameterPath::default(),
        see,
    });
}

struct Visit<F> {
    path: ParameterPath,
    see: F,
}

impl<F: FnMut(Parameter)> ModuleVisitor for Visit<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        (self.see)(Parameter {
            path: self.path.to_string(),
            shape: value.dims().to_vec(),
            trainable: value.is_require_grad(),
            values: (value.cast(DType::F32).into_data().try_to_vec()).expect("it is f32"),
        });
    }
}
