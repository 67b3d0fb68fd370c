//! `toalign predict`: class, probability and heat map of pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use toalign::Result;
use toalign::config::DeviceChoice;
use toalign::config::transform;
use toalign::data::decode::decode_file;
use toalign::draw::picture::png_bytes;
use toalign::error::file_error;
use toalign::explain::look::Look;
use toalign::files::write_atomically;
use toalign::report::table::{Align, Table};
use toalign::runs::session::Trained;

use super::eval::Which;
use super::say::say;

/// The shorter side of a heat map is enlarged to at least this many pixels.
const LEGIBLE: u32 = 224;

/// The pictures and the run whose model looks at them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign predict mug.jpg --run runs/mini/Cl-Rw/hda/1
  toalign predict photos/*.jpg --run runs/mini/Cl-Rw/hda/1 --checkpoint best --out maps")]
pub struct Predict {
    /// Pictures to classify.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder of the run, as `toalign train` prints it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which of its checkpoints.
    #[arg(long, default_value = "last")]
    checkpoint: Which,
    /// Folder for the heat maps, which are named <IMAGE>-gradcam.png [default: the current one].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl Predict {
    /// Prints a table and writes one PNG for each picture.
    pub fn run(self) -> Result<()> {
        let trained = Trained::open(&self.run, self.checkpoint.into(), self.device)?;
        let transform = transform(&trained.header.config);
        let background = trained.header.config.background.map(|colour| colour.0);
        let scale = LEGIBLE.div_ceil(transform.crop);
        let out = self.out.unwrap_or_default();
        if !out.as_os_str().is_empty() {
            std::fs::create_dir_all(&out).map_err(|error| file_error("create", &out, error))?;
        }
        let mut written = Vec::new();
        let mut table = Table::new([
            ("picture", Align::Left),
            ("class", Align::Left),
            ("probability", Align::Right),
            ("Grad-CAM", Align::Left),
        ]);
        for image in &self.images {
            let look = Look::at(&decode_file(image, background)?, &trained.model, &transform)?;
            let map = match look.overlay(scale)? {
                Some(overlay) => {
                    let path = out.join(free_name(image, &written));
                    write_atomically(&path, &png_bytes(&overlay)?)?;
                    written.push(path.clone());
                    path.display().to_string()
                }
                None => "no positive evidence for this class".to_owned(),
            };
            table.push([
                image.display().to_string(),
                trained.header.classes[look.class as usize].clone(),
                format!("{:.3}", look.probability),
                map,
            ]);
        }
        say(table)
    }
}

/// `<IMAGE>-gradcam.png`, numbered where two pictures of this call have the same name.
fn free_name(image: &Path, written: &[PathBuf]) -> String {
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}-gradcam.png");
    let taken = |name: &str| written.iter().any(|path| path.ends_with(name));
    (2..)
        .map(|number| format!("{stem}-gradcam-{number}.png"))
        .find(|numbered| !taken(numbered))
        .filter(|_| taken(&name))
        .unwrap_or(name)
}
