//! Icons on disk, whose alpha is the mask of the object.

use std::sync::Arc;

use image::{GrayImage, Luma, RgbImage};

use crate::data::dataset::{Domain, Pictures};
use crate::data::picture_files::{Options, PictureFiles};
use crate::error::{Result, complain, file_error};

/// What covers less of a pixel than this, of 255, is no object: the tints of flat icons cover a fifth and more.
const LEAST_COVER: u8 = 26;

/// The domain of these files; with `skip_bad_images` without those that cannot be decoded, which are remarked upon.
pub(super) fn domain(
    name: &str,
    mut files: PictureFiles,
    options: &Options,
    remarks: &mut Vec<String>,
) -> Result<Domain> {
    if options.skip_bad_images {
        remarks.extend(files.leave_out_bad(name)?);
    }
    Ok(Domain { name: name.to_owned(), pictures: Arc::new(Icons { files }) })
}

struct Icons {
    files: PictureFiles,
}

impl Icons {
    /// How much of each pixel the icon covers, 0 to 255; `None` for a picture without alpha.
    fn cover(&self, index: usize) -> Result<Option<GrayImage>> {
        let file = &self.files.files[index].0;
        let bytes = std::fs::read(file).map_err(|error| file_error("read", file, error))?;
        let picture = image::load_from_memory(&bytes).map_err(|error| {
            complain("a picture", format!("one that cannot be decoded ({error})"))
                .at(file.display())
                .advice("delete this file and give toalign data fetch icons again")
        })?;
        let alpha = |picture: image::RgbaImage| {
            GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]]))
        };
        Ok(picture.color().has_alpha().then(|| alpha(picture.into_rgba8())))
    }
}

impl Pictures for Icons {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn name(&self, index: usize) -> String {
        self.files.name(index)
    }

    fn label(&self, index: usize) -> u32 {
        self.files.label(index)
    }

    /// The icon on white, or on the background that was asked for.
    fn decode(&self, index: usize) -> Result<RgbImage> {
        // The file has the icon on white already: laid over a colour as any other picture, its tints would fade twice.
        let file = PictureFiles { files: vec![self.files.files[index].clone()], background: None };
        let mut picture = file.decode(0)?;
        if let Some(background) = self.files.background
            && let Some(cover) = self.cover(index)?
        {
            for (pixel, Luma([cover])) in picture.pixels_mut().zip(cover.pixels()) {
                let white = 255 - u32::from(*cover);
                for (colour, under) in pixel.0.iter_mut().zip(background) {
                    let darker = (white * (255 - u32::from(under)) + 127) / 255;
                    *colour = colour.saturating_sub(darker as u8);
                }
            }
        }
        Ok(picture)
    }

    fn mask(&self, index: usize) -> Result<Option<GrayImage>> {
        let object = |Luma([cover]): &Luma<u8>| if *cover >= LEAST_COVER { 255 } else { 0 };
        let mask = |mut cover: GrayImage| {
            cover.pixels_mut().for_each(|pixel| *pixel = Luma([object(pixel)]));
            cover
        };
        Ok(self.cover(index)?.map(mask))
    }
}
