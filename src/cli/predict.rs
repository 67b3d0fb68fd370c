//! `toalign predict`: class, probability and heat map of pictures; or the classes of a whole domain.

use std::path::{Path, PathBuf};

use clap::Args;
use toalign::Result;
use toalign::config::transform;
use toalign::config::{DataSource, DeviceChoice};
use toalign::data::decode::decode_file;
use toalign::data::names::{find_domain, find_task, task_name};
use toalign::draw::picture::png_bytes;
use toalign::error::{complain, file_error};
use toalign::explain::look::Look;
use toalign::files::write_atomically;
use toalign::report::table::{Align, Table};
use toalign::report::write::cell;
use toalign::runs::session::Trained;
use toalign::setup::{domain_names, open_task};
use toalign::train::evaluate::evaluate;
use toalign::train::record::percent;

use super::eval::{Which, require_data};
use super::say::{remark, say};

/// The shorter side of a heat map is enlarged to at least this many pixels.
const LEGIBLE: u32 = 224;

/// The pictures and the run whose model looks at them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign predict mug.jpg --run runs/mini/Cl-Rw/hda/1
  toalign predict photos/*.jpg --run runs/mini/Cl-Rw/hda/1 --checkpoint best --out maps
  toalign predict --domain --run runs/pictures/Ar-New/hda/1 --csv predictions.csv")]
pub struct Predict {
    /// Pictures to classify.
    #[arg(required_unless_present = "domain", value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Classify all pictures of a domain of the run's data instead, and write them as CSV [default: the target].
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "images")]
    domain: Option<String>,
    /// Other data than the run's, for --domain.
    #[arg(long, requires = "domain")]
    data: Option<DataSource>,
    /// File for the predictions of --domain.
    #[arg(long, value_name = "FILE", default_value = "predictions.csv")]
    csv: PathBuf,
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
        if let Some(domain) = &self.domain {
            return self.predict_domain(&trained, domain);
        }
        let transform = transform(&trained.header.config);
        let background = trained.header.config.background.map(|colour| colour.0);
        let scale = LEGIBLE.div_ceil(transform.crop);
        let out = self.out.unwrap_or_default();
        if !out.as_os_str().is_empty() {
            std::fs::create_dir_all(&out).map_err(|error| file_error("create", &out, error))?;
        }
        let mut table = Table::new([
            ("picture", Align::Left),
            ("class", Align::Left),
            ("probability", Align::Right),
            ("Grad-CAM", Align::Left),
        ]);
        let mut failures = 0;
        for image in &self.images {
            let look = decode_file(image, background)
                .and_then(|picture| Look::at(&picture, &trained.model, &transform));
            let look = match look {
                Ok(look) => look,
                // The other pictures have an answer all the same.
                Err(error) => {
                    eprintln!("{error}");
                    failures += 1;
                    continue;
                }
            };
            let map = match look.overlay(scale)? {
                Some(overlay) => {
                    let path = free_path(&out, image);
                    write_atomically(&path, &png_bytes(&overlay)?)?;
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
        if failures < self.images.len() {
            say(table)?;
        }
        match failures {
            0 => Ok(()),
            _ => {
                Err(complain(format!("{} pictures", self.images.len()), format!("{failures} that are none"))
                    .advice("replace those that are named above; the others were answered")
                    .into())
            }
        }
    }

    /// Writes what the model takes every picture of a domain for.
    fn predict_domain(&self, trained: &Trained, name: &str) -> Result<()> {
        let mut config = trained.header.config.clone();
        require_data(&config, self.data.as_ref())?;
        config.data = self.data.clone().unwrap_or(config.data);
        let domains = domain_names(&config.data)?;
        let (sources, target) = find_task(&config.task, &domains)?;
        let wanted = if name.is_empty() { target } else { find_domain(name, &domains)? };
        // Another domain takes the target's place, so that it needs no labels; the only source stays where it is.
        let only = sources == [wanted];
        if !only {
            let others: Vec<usize> = sources.into_iter().filter(|source| *source != wanted).collect();
            config.task = task_name(&others, wanted, &domains);
        }
        let config = config.check()?;
        let task = open_task(&config)?;
        let domain = if only { &task.source } else { &task.target };
        remark(&task.remarks);
        trained.require_classes(&task.classes)?;
        let found = evaluate(&trained.model, domain, &transform(&config), config.test_batch_size)?;
        let mut text = "picture,class,probability,label\n".to_owned();
        for one in &found.predictions {
            let label = task.classes.get(one.label as usize).map_or("", String::as_str);
            let picture = cell(&domain.pictures.name(one.index));
            let class = cell(&task.classes[one.class as usize]);
            text += &format!("{picture},{class},{:.6},{}\n", one.probability, cell(label));
        }
        write_atomically(&self.csv, text.as_bytes())?;
        let (count, domain) = (found.predictions.len(), &domain.name);
        let accuracy = percent(found.accuracy);
        say(format!("{count} pictures of {domain} in {}; accuracy: {accuracy}", self.csv.display()))
    }
}

/// `<IMAGE>-gradcam.png`, numbered where there is such a file already, of this call or of anybody.
fn free_path(out: &Path, image: &Path) -> PathBuf {
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = (2..).map(|number| out.join(format!("{stem}-gradcam-{number}.png")));
    let all = std::iter::once(out.join(format!("{stem}-gradcam.png"))).chain(numbered);
    all.into_iter().find(|path| !path.exists()).unwrap_or_default()
}
