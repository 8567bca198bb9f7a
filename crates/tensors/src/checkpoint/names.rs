//! The names and layouts of a network's parameters in Hugging Face's checkpoints: one table for each family,
//! used by [`Names::load`] for reading and [`Names::put`] for writing.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::weights::transposed;
use super::{CheckpointError, Weights};
use crate::parameters::ParameterPath;

/// A part of a network: its path here, its name in a checkpoint (without `.weight` or `.bias`), and its kind.
/// `*` stands for the block number in both.
pub(crate) type Entry = (&'static str, &'static str, Part);

/// The kind of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A single tensor, named `….weight`.
    Table,
    /// A norm, whose gain is named `….weight`.
    Norm,
    /// A linear layer, stored as `[out, in]` by PyTorch; here `[in, out]`.
    Linear,
    /// A linear layer stored as `[in, out]`: GPT-2's `Conv1D`.
    Conv1d,
    /// One of three linear layers stored as one tensor `[in, 3·out]`: this third of the columns.
    Conv1dThird(usize),
    /// One of several linear layers without biases that PyTorch stores as one tensor `[n·out, in]`.
    LinearShare {
        /// Which group of rows.
        index: usize,
        /// `n`.
        of: usize,
    },
}

impl Part {
    fn is_map(self) -> bool {
        match self {
            Part::Table | Part::Norm => false,
            Part::Linear | Part::Conv1d | Part::Conv1dThird(_) | Part::LinearShare { .. } => true,
        }
    }
}

/// A tensor's layout in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// The same as here.
    Same,
    /// Transposed.
    Transposed,
    /// This third of the columns of a combined tensor.
    Third(usize),
    /// Transposed, and this group of rows of a combined tensor.
    Rows { index: usize, of: usize },
}

/// A family's table.
#[derive(Debug, Clone)]
pub(crate) struct Names(Vec<(&'static str, String, Part)>);

impl Names {
    pub(crate) fn new(entries: &[Entry]) -> Self {
        let entries = entries.iter();
        Names(
            entries
                .map(|&(path, name, part)| (path, name.to_string(), part))
                .collect(),
        )
    }

    /// The same table with renamed parts.
    pub(crate) fn renamed(self, rename: impl Fn(&str) -> String) -> Self {
        let entries = self.0.into_iter();
        Names(
            entries
                .map(|(path, name, part)| (path, rename(&name), part))
                .collect(),
        )
    }

    /// The same table without the entries at this path.
    pub(crate) fn without(self, path: &str) -> Self {
        let entries = self.0.into_iter();
        Names(entries.filter(|(own, _, _)| *own != path).collect())
    }

    /// The names of the linear layers of `count` blocks whose path here is `blocks`: block by block, in the
    /// table's order.
    pub(crate) fn maps(&self, blocks: &str, count: usize) -> Vec<String> {
        let start = format!("{blocks}.*.");
        let of_block = |block: usize| {
            let maps =
                (self.0.iter()).filter(|(path, _, part)| part.is_map() && path.starts_with(&start));
            maps.map(move |(_, name, _)| name.replace('*', &block.to_string()))
        };
        (0..count).flat_map(of_block).collect()
    }

    /// How many of `count` blocks at this path to create: as many as the checkpoint has, plus one if it has
    /// too few, so that loading reports an absent tensor. The configuration may ask for more blocks than fit
    /// into memory.
    pub(crate) fn blocks(&self, path: &str, count: usize, weights: &Weights) -> usize {
        let start = format!("{path}.*.");
        let first = self.0.iter().find(|(path, _, _)| path.starts_with(&start));
        let (_, name, _) = first.expect("a block has parts");
        let has = |block: &usize| {
            weights.contains(&format!("{}.weight", name.replace('*', &block.to_string())))
        };
        let present = (0..count).take_while(has).count();
        count.min(present + 1)
    }

    /// The name and layout of the parameter at this path; `None` for parameters that are not in checkpoints,
    /// such as those that tuning adds.
    fn find(&self, path: &str) -> Option<(String, Layout)> {
        let (module, leaf) = path.rsplit_once('.').unwrap_or(("", path));
        self.0.iter().find_map(|(own, name, part)| {
            let block = match part {
                Part::Table => block_of(own, path),
                _ => block_of(own, module),
            }?;
            let (ending, layout) = match (part, leaf) {
                (Part::Table, _) | (Part::Norm, "gain") => ("weight", Layout::Same),
                (Part::Linear, "weight") => ("weight", Layout::Transposed),
                (Part::Conv1d, "weight") => ("weight", Layout::Same),
                (Part::Norm | Part::Linear | Part::Conv1d, "bias") => ("bias", Layout::Same),
                (Part::Conv1dThird(third), "weight") => ("weight", Layout::Third(*third)),
                (Part::Conv1dThird(third), "bias") => ("bias", Layout::Third(*third)),
                (&Part::LinearShare { index, of }, "weight") => {
                    ("weight", Layout::Rows { index, of })
                }
                _ => return None,
            };
            Some((format!("{}.{ending}", name.replace('*', block)), layout))
        })
    }

    /// Fills the module's [`unfilled`] parameters with the checkpoint's tensors.
    ///
    /// # Errors
    /// A tensor is absent or has another shape.
    pub(crate) fn load<M: Module>(
        &self,
        module: M,
        weights: &mut Weights,
    ) -> Result<M, CheckpointError> {
        let mut load = Load {
            names: self,
            path: ParameterPath::default(),
            weights,
            error: None,
        };
        let module = module.map(&mut load);
        match load.error {
            None => Ok(module),
            Some(error) => Err(error),
        }
    }

    /// Writes those of the module's parameters that the table contains.
    pub(crate) fn put<M: Module>(&self, module: &M, weights: &mut Weights) {
        module.visit(&mut Put {
            names: self,
            path: ParameterPath::default(),
            weights,
        });
    }
}

/// The block number that `*` stands for if the path matches the pattern; empty if the pattern has no `*`.
fn block_of<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, behind)) = pattern.split_once('*') else {
        return (pattern == path).then_some("");
    };
    let block = path.strip_prefix(before)?.strip_suffix(behind)?;
    (!block.contains('.')).then_some(block)
}

/// A parameter without a value, to be filled by [`Names::load`].
pub(crate) fn unfilled<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let zeros = move |device: &Device, _| Tensor::zeros(shape, device);
    Param::uninitialized(ParamId::new(), zeros, device.clone(), true, shape.into())
}

struct Load<'a> {
    names: &'a Names,
    path: ParameterPath,
    weights: &'a mut Weights,
    /// The first failure.
    error: Option<CheckpointError>,
}

impl ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.to_string();
        let (name, layout) = self.names.find(&path).expect("every part has a name");
        let (shape, device) = (param.lazy_shape().dims::<D>(), param.lazy_device());
        let mut stored = shape;
        let values = match layout {
            Layout::Same => self.weights.take_values(&name, stored),
            Layout::Transposed => {
                stored.reverse();
                (self.weights.take_values(&name, stored))
                    .map(|values| transposed(&values, [stored[0], stored[D - 1]]))
            }
            Layout::Third(third) => {
                stored[D - 1] *= 3;
                self.weights.take_third(&name, stored, third)
            }
            Layout::Rows { index, of } => {
                stored.reverse();
                let own = [stored[0], stored[D - 1]];
                stored[0] *= of;
                (self
                    .weights
                    .take_rows(&name, stored, index * own[0]..(index + 1) * own[0]))
                .map(|values| transposed(&values, own))
            }
        };
        match values {
            Ok(values) => {
                let data = TensorData::new(values, shape);
                Param::from_tensor(Tensor::from_data(data, &device))
            }
            Err(error) => {
                self.error.get_or_insert(error);
                param
            }
        }
    }
}

struct Put<'a> {
    names: &'a Names,
    path: ParameterPath,
    weights: &'a mut Weights,
}

impl ModuleVisitor for Put<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some((name, layout)) = self.names.find(&self.path.to_string()) else {
            return;
        };
        let value = param.val();
        let mut shape = value.dims();
        let values = (value.cast(DType::F32).into_data().try_to_vec()).expect("it is f32");
        match layout {
            Layout::Same => self.weights.put(&name, shape.to_vec(), values),
            Layout::Transposed => {
                let values = transposed(&values, [shape[0], shape[D - 1]]);
                shape.reverse();
                self.weights.put(&name, shape.to_vec(), values);
            }
            Layout::Third(_) => self.weights.put_beside(&name, shape.to_vec(), values),
            Layout::Rows { .. } => {
                let values = transposed(&values, [shape[0], shape[D - 1]]);
                shape.reverse();
                self.weights.put_below(&name, shape.to_vec(), values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_in_its_pattern() {
        assert_eq!(block_of("a.*.b", "a.12.b"), Some("12"));
        assert_eq!(block_of("a.*.b", "a.1.c.b"), None);
        assert_eq!(block_of("a", "a"), Some(""));
        assert_eq!(block_of("a", "b"), None);
    }

    #[test]
    fn parameters_are_named_by_their_paths() {
        let names = Names::new(&[
            ("blocks.*.query", "h.*.c_attn", Part::Conv1dThird(0)),
            ("blocks.*.up", "h.*.up", Part::Linear),
            (
                "blocks.*.gate",
                "h.*.gates",
                Part::LinearShare { index: 1, of: 2 },
            ),
            ("table", "wte", Part::Table),
            ("norm", "ln_f", Part::Norm),
        ]);
        let found = |path: &str| names.find(path);
        let named = |name: &str, layout| Some((name.to_string(), layout));
        assert_eq!(found("table"), named("wte.weight", Layout::Same));
        assert_eq!(found("norm.gain"), named("ln_f.weight", Layout::Same));
        assert_eq!(found("norm.bias"), named("ln_f.bias", Layout::Same));
        assert_eq!(
            found("blocks.3.up.weight"),
            named("h.3.up.weight", Layout::Transposed)
        );
        assert_eq!(
            found("blocks.3.query.bias"),
            named("h.3.c_attn.bias", Layout::Third(0))
        );
        assert_eq!(
            found("blocks.3.gate.weight"),
            named("h.3.gates.weight", Layout::Rows { index: 1, of: 2 })
        );
        assert_eq!(found("blocks.3.up.delta.bias"), None);
        assert_eq!(
            names.maps("blocks", 2),
            [
                "h.0.c_attn",
                "h.0.up",
                "h.0.gates",
                "h.1.c_attn",
                "h.1.up",
                "h.1.gates"
            ]
        );
    }
}
