//! From the SVG of a chart to pixels, with letters of a font that is compiled in: the same picture on every machine.

use std::sync::{Arc, OnceLock};

use image::{Rgb, RgbImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use super::SCALE;
use crate::error::{Error, Result, complain};

/// Ubuntu for words; Hack and Noto Emoji for the signs that it lacks.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        for font in [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
        ] {
            fonts.load_font_data(font.to_vec());
        }
        fonts.set_sans_serif_family("Ubuntu");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// The drawing at [`SCALE`] times its size, on white.
pub(crate) fn pixels(svg: &str) -> Result<RgbImage> {
    let failed = |found: String| -> Error { complain("a chart that can be drawn", found).into() };
    let options = Options { fontdb: fonts(), font_family: "sans-serif".into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width() * SCALE, size.height() * SCALE);
    let mut sheet =
        Pixmap::new(width, height).ok_or_else(|| failed(format!("one of {width}×{height} pixels")))?;
    sheet.fill(resvg::tiny_skia::Color::WHITE);
    let scale = SCALE as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut sheet.as_mut());
    let (quads, _) = sheet.data().as_chunks::<4>();
    Ok(RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, _] = quads[(y * width + x) as usize];
        Rgb([red, green, blue])
    }))
}
