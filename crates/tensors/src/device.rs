//! Finds devices by name, checks that they are present, and sets up the thread pool of the CPU.
//!
//! By default Burn selects the first backend that was compiled in, whether or not its hardware is present,
//! and fails at the first tensor. Therefore devices are checked here before anything is loaded.

use std::fmt;
#[cfg(any(feature = "cuda", test))]
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use burn::tensor::Device;

use crate::memory;
use promptshift_text::domain::catalogue::did_you_mean;

/// The environment variable that names a device if `--device` does not.
pub const VARIABLE: &str = "PROMPTSHIFT_DEVICE";

/// The name of the CPU, which is always compiled in.
pub const CPU: &str = "cpu";

const CUDA: &str = "cuda";
const VULKAN: &str = "vulkan";
const WGPU: &str = "wgpu";

/// The names of all kinds of devices.
const KINDS: [&str; 4] = [CPU, CUDA, VULKAN, WGPU];

/// The devices of a command by name, in order: at least one, each once, all of one kind. Written as in
/// `cuda:0,cuda:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices(Vec<String>);

impl FromStr for Devices {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut known: Vec<(&str, usize)> = Vec::new();
        for name in &names {
            let device = named(name)?;
            let refused = |why| DeviceError::List {
                found: text.to_string(),
                why,
            };
            match known.first() {
                Some((kind, _)) if *kind != device.0 => return Err(refused(MIXED)),
                Some((CPU, _)) => return Err(refused(ONE_CPU)),
                _ if known.contains(&device) => return Err(refused(TWICE)),
                _ => known.push(device),
            }
        }
        Ok(Devices(names.into_iter().map(str::to_owned).collect()))
    }
}

/// Why a list of devices is refused.
const MIXED: &str =
    "wanted devices of one kind, since the last bits of results differ between kinds";
const ONE_CPU: &str = "the CPU is one device; wanted cpu, and --jobs N for several processes on it";
const TWICE: &str =
    "one of them is there twice; wanted each once, and --jobs N for several processes on one";

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl Devices {
    /// Whether it is the CPU.
    pub fn is_cpu(&self) -> bool {
        self.only() == Some(CPU)
    }

    /// Whether they can hold numbers in bf16, which WebGPU's shading language does not have.
    pub fn have_bf16(&self) -> bool {
        !self.0.iter().any(|name| name.starts_with(WGPU))
    }

    /// The name of the device, if there is only one.
    pub fn only(&self) -> Option<&str> {
        match &self.0[..] {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The devices, which are on this machine.
    ///
    /// # Errors
    /// One is not compiled in, or not on this machine.
    pub fn find(&self) -> Result<Vec<Device>, DeviceError> {
        self.0.iter().map(|name| find(name)).collect()
    }

    /// Groups of devices for processes that train with this many replicas: with a device for each replica, or
    /// with all devices if there are fewer. Devices that fill no group are left out.
    pub fn groups(&self, replicas: usize) -> Vec<Devices> {
        let size = replicas.clamp(1, self.0.len());
        let groups = self.0.chunks_exact(size);
        groups.map(|group| Devices(group.to_vec())).collect()
    }

    /// The devices of each of `workers` processes that train with this many replicas: the groups in turn.
    pub fn assigned(&self, workers: usize, replicas: usize) -> Vec<Devices> {
        let groups = self.groups(replicas);
        groups.into_iter().cycle().take(workers).collect()
    }

    /// The names of the devices that none of these have.
    pub fn besides(&self, assigned: &[Devices]) -> Vec<&str> {
        let is_idle = |name: &&String| assigned.iter().all(|of_one| !of_one.0.contains(name));
        self.0.iter().filter(is_idle).map(String::as_str).collect()
    }
}

/// Why a device can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No such name.
    #[error("unknown device '{found}': wanted cpu, cuda, cuda:N, vulkan or wgpu{}", .hint.as_deref().unwrap_or_default())]
    Unknown {
        /// What was asked for.
        found: String,
        /// "; did you mean …".
        hint: Option<String>,
    },
    /// A list that is not one of devices to use together.
    #[error("devices '{found}': {why}")]
    List {
        /// What was asked for.
        found: String,
        /// What is wrong, and what is wanted.
        why: &'static str,
    },
    /// The device's backend is not compiled in.
    #[error(
        "device '{device}' needs a program built with it: cargo run --release --features {feature} -- …; this one was built for: {built}"
    )]
    NotBuilt {
        /// What was asked for.
        device: String,
        /// The feature that enables it.
        feature: &'static str,
        /// The backends compiled in.
        built: String,
    },
    /// The machine has no such device.
    #[error("device '{device}' was not found: {found} on this machine; wanted {wanted}")]
    Absent {
        /// What was asked for.
        device: String,
        /// How many devices were found.
        found: String,
        /// What is required.
        wanted: &'static str,
    },
    /// CUDA's mathematical functions are missing, so the first softmax would fail.
    #[error(
        "device '{device}' needs {FUNCTIONS}, which has CUDA's exp, log and tanh: not found below {looked}; wanted the CUDA toolkit there, or CUDA_PATH at a folder that contains it (the PyPI package nvidia-cuda-nvcc-cu12 has it under nvidia/cuda_nvcc)"
    )]
    NoFunctions {
        /// What was asked for.
        device: String,
        /// The folders that were searched.
        looked: String,
    },
}

/// The file with CUDA's mathematical functions, relative to the toolkit's folder.
const FUNCTIONS: &str = "nvvm/libdevice/libdevice.10.bc";

/// The kinds of devices compiled in.
pub fn built() -> Vec<&'static str> {
    let mut names = vec![CPU];
    if cfg!(feature = "cuda") {
        names.push(CUDA);
    }
    if cfg!(feature = "vulkan") {
        names.push(VULKAN);
    }
    if cfg!(feature = "wgpu") {
        names.push(WGPU);
    }
    names
}

/// The name of the card behind `device`, such as `NVIDIA H100 80GB HBM3`; `None` for the CPU. Opens the device.
pub fn card(device: &Device) -> Option<String> {
    identity(device).map(|[name, _]| name)
}

/// The names of the card and of what CubeCL compiles kernels for, such as `ptx_sm90`.
#[cfg(any(feature = "cuda", feature = "vulkan", feature = "wgpu"))]
fn identity(device: &Device) -> Option<[String; 2]> {
    let identity = device.identity()?;
    Some([identity.name, identity.fingerprint])
}

#[cfg(not(any(feature = "cuda", feature = "vulkan", feature = "wgpu")))]
fn identity(_: &Device) -> Option<[String; 2]> {
    None
}

/// The precision in which `device` multiplies f32 matrices: `tf32`, with 10 bits of mantissa instead of 23, on NVIDIA's
/// cards from Ampere on, where CubeCL may choose their tensor cores (cubek-matmul, `adjust_dtypes`); otherwise `f32`.
pub fn precision(device: &Device) -> &'static str {
    identity(device).map_or("f32", |[_, compiled_for]| precision_for(&compiled_for))
}

/// [`precision`] of kernels compiled for `ptx_sm90`, whose number is the compute capability times ten.
fn precision_for(compiled_for: &str) -> &'static str {
    let capability = compiled_for
        .strip_prefix("ptx_sm")
        .and_then(|number| number.parse::<u32>().ok());
    match capability {
        Some(80..) => "tf32",
        _ => "f32",
    }
}

/// Finds a device by name: `cpu` (Burn's flex), `cuda` or `cuda:N` (the Nth NVIDIA device, from 0), `vulkan`
/// (the first Vulkan device, with SPIR-V kernels), `wgpu` (the first GPU of any kind, with WGSL kernels).
///
/// # Errors
/// No such name, not compiled in, or not on this machine.
pub fn find(name: &str) -> Result<Device, DeviceError> {
    match named(name)? {
        (CUDA, index) => cuda(name, index),
        (VULKAN, _) => vulkan(name),
        (WGPU, _) => wgpu(name),
        _ => Ok(Device::flex()),
    }
}

/// The kind of a device, and its index.
fn named(name: &str) -> Result<(&'static str, usize), DeviceError> {
    match name.split_once(':') {
        Some((CUDA, index)) => Ok((CUDA, index.parse().map_err(|_| unknown(name))?)),
        Some(_) => Err(unknown(name)),
        None => {
            let kind = KINDS.into_iter().find(|kind| *kind == name);
            Ok((kind.ok_or_else(|| unknown(name))?, 0))
        }
    }
}

fn unknown(name: &str) -> DeviceError {
    let near = did_you_mean(name, KINDS);
    DeviceError::Unknown {
        found: name.to_string(),
        hint: near.first().map(|near| format!("; did you mean '{near}'?")),
    }
}

#[cfg(feature = "cuda")]
fn cuda(name: &str, index: usize) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceType;
    // Queries the driver; without a driver the count is zero.
    let devices = Device::enumerate(DeviceType::Cuda).into_vec();
    let count = devices.len();
    let device = (devices.into_iter().nth(index)).ok_or_else(|| DeviceError::Absent {
        device: name.to_string(),
        found: format!("{count} CUDA devices"),
        wanted: "an NVIDIA GPU with its driver (libcuda.so), counted from cuda:0",
    })?;
    let toolkit = std::env::var_os("CUDA_PATH").map(PathBuf::from);
    find_functions(name, toolkit, &TOOLKITS.map(PathBuf::from))?;
    Ok(device)
}

/// The folders searched for a toolkit if CUDA_PATH is not set, as in CubeCL (cubecl-llvm,
/// `nvptx/libdevice.rs`).
#[cfg(feature = "cuda")]
const TOOLKITS: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];

/// Checks for the file that kernels are linked with, in the folder that CubeCL will use: `toolkit`, or the
/// first of `usual` that has the file's folder.
#[cfg(any(feature = "cuda", test))]
fn find_functions(
    name: &str,
    toolkit: Option<PathBuf>,
    usual: &[PathBuf],
) -> Result<(), DeviceError> {
    let looked: Vec<PathBuf> = match toolkit {
        Some(toolkit) => vec![toolkit],
        None => usual.to_vec(),
    };
    let has_folder = |root: &&PathBuf| root.join(FUNCTIONS).parent().is_some_and(Path::is_dir);
    let taken = looked.iter().find(has_folder);
    match taken.is_some_and(|root| root.join(FUNCTIONS).is_file()) {
        true => Ok(()),
        false => Err(DeviceError::NoFunctions {
            device: name.to_string(),
            looked: (looked.iter())
                .map(|root| root.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _: usize) -> Result<Device, DeviceError> {
    Err(not_built(name, CUDA))
}

#[cfg(feature = "vulkan")]
fn vulkan(name: &str) -> Result<Device, DeviceError> {
    first(
        name,
        burn::tensor::DeviceType::Vulkan,
        "a GPU with a Vulkan driver",
    )
}

#[cfg(not(feature = "vulkan"))]
fn vulkan(name: &str) -> Result<Device, DeviceError> {
    Err(not_built(name, VULKAN))
}

#[cfg(feature = "wgpu")]
fn wgpu(name: &str) -> Result<Device, DeviceError> {
    first(
        name,
        burn::tensor::DeviceType::Wgpu,
        "a GPU with a driver for Vulkan, Metal or DirectX 12, or Mesa's software one \
         (mesa-vulkan-drivers)",
    )
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str) -> Result<Device, DeviceError> {
    Err(not_built(name, WGPU))
}

/// The first device of a type.
#[cfg(any(feature = "vulkan", feature = "wgpu"))]
fn first(
    name: &str,
    kind: burn::tensor::DeviceType,
    wanted: &'static str,
) -> Result<Device, DeviceError> {
    let first = Device::enumerate(kind).into_vec().into_iter().next();
    first.ok_or_else(|| DeviceError::Absent {
        device: name.to_string(),
        found: "none".to_string(),
        wanted,
    })
}

#[cfg(not(all(feature = "cuda", feature = "vulkan", feature = "wgpu")))]
fn not_built(name: &str, feature: &'static str) -> DeviceError {
    DeviceError::NotBuilt {
        device: name.to_string(),
        feature,
        built: built().join(", "),
    }
}

/// Makes this thread a worker of the thread pool for tensor operations. Otherwise it would sleep and be woken
/// at every parallel operation. Call it once, before any computation.
pub fn compute_on_this_thread() {
    // If this fails, rayon's default pool is used: same results, but slower.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    memory::leave_out(|| {
        rayon::broadcast(|_| promptshift_kernels::reserve_buffers());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(find("cpu").expect("flex is compiled in"), Device::flex());
    }

    #[test]
    fn what_is_no_device_is_refused_with_the_nearest_name() {
        for name in ["gpu", "", "cpu:1", "cuda:x", "cuda:-1", "cuda:", "vulkan:0"] {
            let error = find(name).expect_err(name).to_string();
            assert!(
                error.contains("wanted cpu, cuda, cuda:N, vulkan or wgpu"),
                "{error}"
            );
        }
        let error = find("cdua").expect_err("a slip").to_string();
        assert!(error.contains("did you mean 'cuda'?"), "{error}");
    }

    fn devices(text: &str) -> Devices {
        text.parse().expect(text)
    }

    #[test]
    fn a_list_is_of_one_kind_and_has_each_device_once() {
        for text in ["cpu", "cuda", "cuda:0,cuda:1", "cuda,cuda:1,cuda:2", "wgpu"] {
            assert_eq!(devices(text).to_string(), text);
        }
        assert_eq!(devices("cuda:0, cuda:1"), devices("cuda:0,cuda:1"));
        assert!(devices("cpu").is_cpu() && !devices("cuda:0").is_cpu());
        let refused = [
            ("cpu,cpu", ONE_CPU),
            ("cuda:1,cuda:1", TWICE),
            ("cuda,cuda:0", TWICE),
            ("cuda:1,cuda:01", TWICE),
            ("vulkan,vulkan", TWICE),
            ("cpu,cuda:0", MIXED),
            ("cuda:0,cpu", MIXED),
            ("wgpu,vulkan", MIXED),
        ];
        for (text, wanted) in refused {
            match text.parse::<Devices>() {
                Err(DeviceError::List { found, why }) => assert_eq!((&*found, why), (text, wanted)),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in [
            "",
            "cuda:0,",
            "cuda:0,,cuda:1",
            "cuda:0;cuda:1",
            "cuda:0,gpu",
        ] {
            let unknown = matches!(text.parse::<Devices>(), Err(DeviceError::Unknown { .. }));
            assert!(unknown, "{text}");
        }
    }

    #[test]
    fn workers_get_devices_in_turn_and_as_many_as_replicas() {
        let assigned = |text: &str, workers, replicas| -> Vec<String> {
            let assigned = devices(text).assigned(workers, replicas);
            assigned.iter().map(Devices::to_string).collect()
        };
        let two = "cuda:0,cuda:1";
        assert_eq!(assigned(two, 2, 1), ["cuda:0", "cuda:1"]);
        assert_eq!(assigned(two, 3, 1), ["cuda:0", "cuda:1", "cuda:0"]);
        assert_eq!(assigned(two, 1, 1), ["cuda:0"]);
        assert_eq!(assigned(two, 1, 2), [two]);
        // Fewer devices than replicas: they share.
        assert_eq!(assigned(two, 2, 8), [two, two]);
        let four = "cuda:3,cuda:1,cuda:0,cuda:2";
        assert_eq!(assigned(four, 2, 2), ["cuda:3,cuda:1", "cuda:0,cuda:2"]);
        assert_eq!(assigned("cpu", 3, 2), ["cpu", "cpu", "cpu"]);
    }

    #[test]
    fn devices_that_no_worker_has_are_named() {
        let idle = |text: &str, workers, replicas| {
            let devices = devices(text);
            let assigned = devices.assigned(workers, replicas);
            devices.besides(&assigned).join(" ")
        };
        assert_eq!(idle("cuda:0,cuda:1", 2, 1), "");
        assert_eq!(idle("cuda:0,cuda:1", 1, 1), "cuda:1");
        assert_eq!(idle("cuda:0,cuda:1,cuda:2", 1, 2), "cuda:2");
        assert_eq!(idle("cuda:0,cuda:1,cuda:2,cuda:3", 1, 2), "cuda:2 cuda:3");
    }

    #[test]
    fn cards_from_ampere_on_multiply_in_tf32() {
        let found = ["ptx_sm75", "ptx_sm80", "ptx_sm120", "spirv", ""];
        let precisions = found.map(precision_for);
        assert_eq!(precisions, ["f32", "tf32", "tf32", "f32", "f32"]);
        assert_eq!(precision(&Device::flex()), "f32");
        assert_eq!(card(&Device::flex()), None);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn what_is_not_compiled_in_says_how_to_get_it() {
        let error = find("cuda:0").expect_err("not built").to_string();
        assert!(error.contains("--features cuda"), "{error}");
        assert!(error.contains("built for: cpu"), "{error}");
    }

    #[test]
    fn a_machine_without_cudas_functions_is_told_where_they_were_looked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let [empty, whole] = ["empty", "whole"].map(|name| folder.path().join(name));
        std::fs::create_dir_all(whole.join("nvvm/libdevice")).expect("folders");
        let usual = [empty.clone(), whole.clone()];
        let refused = |toolkit: Option<&PathBuf>| {
            let error = find_functions("cuda:0", toolkit.cloned(), &usual);
            error.expect_err("no file is there").to_string()
        };
        assert!(refused(None).contains(&whole.display().to_string()));
        std::fs::write(whole.join(FUNCTIONS), "bitcode").expect("written");
        find_functions("cuda:0", None, &usual).expect("the second folder has it");
        find_functions("cuda:0", Some(whole), &[]).expect("CUDA_PATH has it");
        // Only CUDA_PATH is searched if it is set, as in CubeCL.
        let refused = refused(Some(&empty));
        assert!(refused.contains(&empty.display().to_string()), "{refused}");
        assert!(refused.contains("libdevice.10.bc"), "{refused}");
    }
}
