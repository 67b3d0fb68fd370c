//! Where a run computes: on the CPU, or on an NVIDIA GPU.

pub mod memory;
pub(crate) mod outside_graph;
pub mod profile;
pub mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use candle_core::{Device, DeviceLocation};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, complain};

/// The setting `device`; it has no influence on what a run is, so that a run begun on one device can go on on another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first NVIDIA GPU where the program is built for one and one is there, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this number, from 0.
    Cuda(usize),
}

/// How exactly a GPU computes the backbone; heads, discriminator, losses and sums are in f32 at all times, and so is all of
/// a run on the CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Factors of products rounded to the 10 bits of TF32's mantissa; maps in f32.
    Tf32,
    /// Maps and kernels rounded to the 7 bits of bf16's mantissa; weights stay in f32.
    Bf16,
}

impl Precision {
    /// Checks that `device` can compute so.
    ///
    /// # Errors
    /// If it is not f32 elsewhere than on a GPU.
    pub fn check(self, device: &Device) -> Result<()> {
        if self == Self::F32 || (cfg!(feature = "cudnn") && device.is_cuda()) {
            return Ok(());
        }
        let name = format!("{self:?}").to_lowercase();
        Err(complain(
            "precision f32, the only one of a run without an NVIDIA GPU and cuDNN",
            format!("'{name}'"),
        )
        .at("--precision")
        .advice("leave --precision away, or build with --features cudnn and take --device cuda")
        .into())
    }
}

impl DeviceChoice {
    /// The device itself. The same GPU is opened once: candle takes tensors together only from one opening.
    ///
    /// # Errors
    /// If a GPU is asked for and the program is not built for one, or there is none of that number.
    ///
    /// ```
    /// use toalign::device::DeviceChoice;
    /// assert!(DeviceChoice::Cpu.open()?.is_cpu());
    /// # #[cfg(not(feature = "cuda"))]
    /// # {
    /// assert!(DeviceChoice::Auto.open()?.is_cpu());
    /// let message = DeviceChoice::Cuda(0).open().unwrap_err().to_string();
    /// assert!(message.contains("--features cudnn"));
    /// # }
    /// # Ok::<(), toalign::Error>(())
    /// ```
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(open_gpu(0).unwrap_or(Device::Cpu)),
            Self::Cuda(number) => open_gpu(number),
        }
    }
}

fn open_gpu(number: usize) -> Result<Device> {
    static OPENED: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    if !cfg!(feature = "cuda") {
        return Err(complain(
            "a program that is built for NVIDIA GPUs",
            "one that is built for the CPU alone",
        )
        .at("device (--device)")
        .advice("build it anew with --features cudnn, or give --device cpu")
        .into());
    }
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = opened.get(&number) {
        return Ok(device.clone());
    }
    // One stream: candle's default is another one in every thread, and batches and models cross threads.
    let device = Device::new_cuda_with_stream(number).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        complain(format!("an NVIDIA GPU number {number}"), format!("none that can be used ({reason})"))
            .at("device (--device)")
            .advice("GPUs count from 0, `nvidia-smi` lists them; --device cpu needs none")
    })?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = &device {
        // SAFETY: everything runs in this one stream, and what `upload` does in another is done when it returns.
        unsafe { gpu.disable_event_tracking() };
    }
    memory::keep_freed(&device);
    opened.insert(number, device.clone());
    Ok(device)
}

/// A device as the setting writes it: `cpu` or `cuda:N`.
///
/// ```
/// assert_eq!(toalign::device::name(&candle_core::Device::Cpu), "cpu");
/// ```
pub fn name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".into(),
        DeviceLocation::Cuda { gpu_id } => DeviceChoice::Cuda(gpu_id).to_string(),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    /// ```
    /// use toalign::device::DeviceChoice;
    /// assert_eq!("cuda:1".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(1));
    /// assert_eq!("cuda".parse::<DeviceChoice>().unwrap().to_string(), "cuda:0");
    /// let message = "gpu".parse::<DeviceChoice>().unwrap_err().to_string();
    /// assert!(message.starts_with("expected auto, cpu, cuda or cuda:N, found 'gpu'"));
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(number))) => Ok(Self::Cuda(number)),
            _ => Err(complain("auto, cpu, cuda or cuda:N", format!("'{text}'"))
                .advice("write cuda:0 for the first NVIDIA GPU, cpu for none")
                .into()),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}
