//! Finds devices by name, checks that they are present, and sets up the thread pool of the CPU.
//!
//! By default Burn selects the first backend that was compiled in, whether or not its hardware is present,
//! and fails at the first tensor. Therefore devices are checked here before anything is loaded.

#[cfg(any(feature = "cuda", test))]
use std::path::{Path, PathBuf};

pub use burn::tensor::Device;

use crate::memory;
use promptshift_text::domain::catalogue::did_you_mean;

/// The environment variable that names a device if `--device` does not.
pub const VARIABLE: &str = "PROMPTSHIFT_DEVICE";

/// The name of the CPU, which is always compiled in.
pub const CPU: &str = "cpu";

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
        names.push("cuda");
    }
    if cfg!(feature = "vulkan") {
        names.push("vulkan");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
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
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, index.parse::<usize>().map_err(|_| unknown(name))?),
        None => (name, 0),
    };
    match (kind, name.contains(':')) {
        (CPU, false) => Ok(Device::flex()),
        ("cuda", _) => cuda(name, index),
        ("vulkan", false) => vulkan(name),
        ("wgpu", false) => wgpu(name),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> DeviceError {
    let near = did_you_mean(name, [CPU, "cuda", "vulkan", "wgpu"]);
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
    Err(not_built(name, "cuda"))
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
    Err(not_built(name, "vulkan"))
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
    Err(not_built(name, "wgpu"))
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
