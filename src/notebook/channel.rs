//! How a thing that is shown travels from the library to the notebook: as marked lines of standard output.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::CompressionType;
use serde_json::{Map, Value, json};

use super::Bundle;
use crate::draw::SCALE;
use crate::draw::picture::compressed_png;
use crate::error::{Result, file_error};

/// Where the output of this process is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A notebook whose kernel was started by this project's launcher: it draws again in place.
    Live,
    /// A notebook with evcxr as it comes: one picture per cell, when the cell ends.
    Plain,
    /// A terminal or a file.
    Terminal,
}

impl Place {
    /// As the environment says.
    pub fn here() -> Self {
        match (std::env::var_os("TOALIGN_LIVE"), std::env::var_os("EVCXR_IS_RUNTIME")) {
            (Some(live), _) if live == "1" => Self::Live,
            (_, Some(_)) => Self::Plain,
            _ => Self::Terminal,
        }
    }

    /// Shows a bundle; with an `id`, [`Place::redraw`] can replace it.
    pub fn display(self, bundle: &Bundle, id: Option<&str>) -> Result<()> {
        print(&self.lines(bundle, "display", id, CompressionType::Best)?)
    }

    /// Replaces what was shown under `id`; only [`Place::Live`] can, the others do nothing.
    pub fn redraw(self, bundle: &Bundle, id: &str, last: bool) -> Result<()> {
        let effort = if last { CompressionType::Best } else { CompressionType::Fast };
        match self {
            Self::Live => print(&self.lines(bundle, "update", Some(id), effort)?),
            Self::Plain | Self::Terminal => Ok(()),
        }
    }

    fn lines(
        self,
        bundle: &Bundle,
        action: &str,
        id: Option<&str>,
        effort: CompressionType,
    ) -> Result<String> {
        let encoded = |picture| Ok(STANDARD.encode(compressed_png(picture, effort)?));
        let png = || -> Result<Option<String>> { bundle.picture.as_ref().map(encoded).transpose() };
        Ok(match self {
            Self::Live => {
                let mut data = Map::from_iter([("text/plain".to_owned(), bundle.text.clone().into())]);
                let mut metadata = Map::new();
                if let Some(html) = &bundle.html {
                    data.insert("text/html".into(), html.clone().into());
                }
                if let (Some(png), Some(picture)) = (png()?, &bundle.picture) {
                    data.insert("image/png".into(), png.into());
                    let size = json!({"width": picture.width() / SCALE, "height": picture.height() / SCALE});
                    metadata.insert("image/png".into(), size);
                }
                let mut order = json!({"do": action, "data": data, "metadata": metadata});
                if let Some(id) = id {
                    order["id"] = Value::from(id);
                }
                format!("\u{1e}JUPYTER {order}\n")
            }
            Self::Plain => {
                let content = |kind: &str, body: &str| {
                    format!("EVCXR_BEGIN_CONTENT {kind}\n{body}\nEVCXR_END_CONTENT\n")
                };
                match (png()?, &bundle.html) {
                    (Some(png), _) => content("image/png", &png),
                    (None, Some(html)) => content("text/html", html),
                    (None, None) => bundle.text.clone() + "\n",
                }
            }
            Self::Terminal => bundle.text.trim_end().to_owned() + "\n",
        })
    }
}

/// Through `print!`, so that the tests' runner can keep it to itself.
fn print(lines: &str) -> Result<()> {
    print!("{lines}");
    io::stdout().flush().map_err(|error| file_error("write", "standard output", error))
}

/// Whether the user pressed Stop in the notebook since the last time that this was asked.
///
/// The launcher makes the file that `TOALIGN_STOP_FILE` names; who takes notice deletes it.
pub fn stop_is_wanted() -> bool {
    std::env::var_os("TOALIGN_STOP_FILE").is_some_and(|file| is_taken(Path::new(&file)))
}

/// Whether the file was there; then it is gone.
fn is_taken(file: &Path) -> bool {
    file.exists() && std::fs::remove_file(file).is_ok()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn bundle() -> Bundle {
        let picture = RgbImage::from_pixel(6, 4, Rgb([1, 2, 3]));
        Bundle { picture: Some(picture), html: None, text: "[a square, 3×2]".into() }
    }

    #[test]
    fn the_launcher_gets_one_line_of_json() {
        let line = Place::Live.lines(&bundle(), "display", Some("a-1"), CompressionType::Fast).unwrap();
        let order = line.strip_prefix("\u{1e}JUPYTER ").unwrap();
        assert_eq!(order.find('\n'), Some(order.len() - 1));
        let order: Value = serde_json::from_str(order).unwrap();
        assert_eq!((&order["do"], &order["id"]), (&json!("display"), &json!("a-1")));
        assert_eq!(order["metadata"]["image/png"], json!({"width": 3, "height": 2}));
        assert_eq!(order["data"]["text/plain"], "[a square, 3×2]");
        let png = STANDARD.decode(order["data"]["image/png"].as_str().unwrap()).unwrap();
        let picture = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(&picture, bundle().picture.as_ref().unwrap());
    }

    #[test]
    fn a_wish_to_stop_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stop");
        assert!(!is_taken(&file));
        std::fs::write(&file, "").unwrap();
        assert!(is_taken(&file));
        assert!(!is_taken(&file));
    }

    #[test]
    fn plain_evcxr_gets_its_own_marks_and_a_terminal_words() {
        let lines = |place: Place, bundle: &Bundle| {
            place.lines(bundle, "display", None, CompressionType::Fast).unwrap()
        };
        let plain = lines(Place::Plain, &bundle());
        assert!(plain.starts_with("EVCXR_BEGIN_CONTENT image/png\niVBOR"), "{plain}");
        assert!(plain.ends_with("\nEVCXR_END_CONTENT\n"), "{plain}");
        let table = Bundle { html: Some("<table></table>".into()), text: "a".into(), picture: None };
        assert_eq!(
            lines(Place::Plain, &table),
            "EVCXR_BEGIN_CONTENT text/html\n<table></table>\nEVCXR_END_CONTENT\n"
        );
        assert_eq!(lines(Place::Terminal, &bundle()), "[a square, 3×2]\n");
    }
}
