//! Numbers that hold for Mini Office-Home as a whole.

use rayon::prelude::*;
use toalign::Result;
use toalign::config::{DataSource, RunConfig};
use toalign::data::dataset::{Pictures, Task};
use toalign::mini_home::pretraining::PretrainingPictures;
use toalign::mini_home::{self, MiniHome, Options, SIDE, Split, Style, domain, task, task_names};
use toalign::setup::open_task;

fn pictures(style: Style, split: Split, options: &Options) -> MiniHome {
    let pictures = MiniHome::new(style, split, options).unwrap();
    // All threads draw; asked for one by one, each picture would be drawn by one.
    (0..pictures.len()).into_par_iter().for_each(|index| drop(pictures.decode(index).unwrap()));
    pictures
}

/// Means over pixels and pictures: brightness (0 to 1) and mask (0 to 1).
fn brightness_and_area(pictures: &MiniHome) -> (f64, f64) {
    let mean =
        |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / (255.0 * bytes.len() as f64);
    let count = pictures.len() as f64;
    (0..pictures.len()).fold((0.0, 0.0), |(brightness, area), index| {
        let picture = pictures.decode(index).unwrap();
        let mask = pictures.mask(index).unwrap().unwrap();
        (brightness + mean(&picture) / count, area + mean(&mask) / count)
    })
}

/// The hue of an RGB colour, in turns.
fn turns([red, green, blue]: [f32; 3]) -> f32 {
    let (across, up) = (red - 0.5 * (green + blue), 0.75_f32.sqrt() * (green - blue));
    (up.atan2(across) / std::f32::consts::TAU).rem_euclid(1.0)
}

#[test]
fn a_picture_depends_on_nothing_but_its_place() {
    for style in Style::ALL {
        let all = pictures(style, Split::Test, &Options::default());
        let more =
            MiniHome::new(style, Split::Test, &Options { images_per_class: Some(100), ..Options::default() })
                .unwrap();
        for (class, number) in [(11, 14), (0, 0), (5, 3)] {
            let (a, b) = (class * 15 + number, class * 100 + number);
            assert_eq!(all.decode(a).unwrap(), more.decode(b).unwrap());
            assert_eq!(all.mask(a).unwrap(), more.mask(b).unwrap());
        }
        let train = MiniHome::new(style, Split::Train, &Options::default()).unwrap();
        assert_ne!(all.decode(0).unwrap(), train.decode(0).unwrap());
        let seed = Options { seed: 2, ..Options::default() };
        let other = MiniHome::new(style, Split::Test, &seed).unwrap();
        assert_ne!(all.decode(0).unwrap(), other.decode(0).unwrap());
    }
}

#[test]
fn brightness_and_mask_area_are_those_of_the_design() {
    // Mask areas: what the prototype measured, and with it the chance level of "attention inside the object".
    let expected = [
        (Style::Art, 0.618, 0.292),
        (Style::Clipart, 0.796, 0.337),
        (Style::Product, 0.781, 0.331),
        (Style::RealWorld, 0.435, 0.285),
    ];
    for (style, expected_brightness, expected_area) in expected {
        let train = pictures(style, Split::Train, &Options::default());
        let (brightness, area) = brightness_and_area(&train);
        assert!((area - expected_area).abs() < 0.03, "{style} area {area}");
        assert!((brightness - expected_brightness).abs() < 0.06, "{style} brightness {brightness}");
    }
}

#[test]
fn classes_are_balanced_and_named() {
    let task = task("clipart-real_world", &Options::default()).unwrap();
    assert_eq!(task.name, "Cl-Rw");
    assert_eq!((task.source.name.as_str(), task.target.name.as_str()), ("Clipart", "Real_World"));
    assert_eq!(task.classes[0], "Alarm_Clock");
    assert_eq!(task.classes[11], "Sneakers");
    let mut counts = [0; 12];
    for index in 0..task.target.pictures.len() {
        counts[task.target.pictures.label(index) as usize] += 1;
    }
    assert_eq!(counts, [40; 12]);
    let test = domain("rw", Split::Test, &Options::default()).unwrap();
    assert_eq!(test.pictures.len(), 180);
    assert_eq!(test.pictures.name(17), "Mini Office-Home, Real_World, test, Backpack 2, seed 1");
    assert_eq!(task_names().len(), 12);
    assert!(task_names().iter().all(|name| mini_home::task(name, &Options::default()).is_ok()));
}

#[test]
fn the_mask_covers_the_object_and_nothing_else() {
    // Clipart on white: every pixel that the mask leaves out is white or black contour.
    let clipart = pictures(Style::Clipart, Split::Test, &Options::default());
    let mut on_white = 0;
    for index in 0..clipart.len() {
        let picture = clipart.decode(index).unwrap();
        let mask = clipart.mask(index).unwrap().unwrap();
        assert_eq!(picture.dimensions(), (SIDE, SIDE));
        assert_eq!(mask.dimensions(), (SIDE, SIDE));
        assert!(mask.contains(&255), "{}", clipart.name(index));
        if picture.get_pixel(0, 0).0 != [255; 3] {
            continue;
        }
        on_white += 1;
        for (pixel, opacity) in picture.pixels().zip(mask.pixels()) {
            // Where the object is too thin for the mask it may still colour the picture by a level or two.
            let colourfulness = pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap();
            let name = clipart.name(index);
            assert!(opacity.0[0] > 0 || colourfulness <= 2, "{name}");
        }
    }
    assert!(on_white > 90, "{on_white}");
}

#[test]
fn rho_ties_the_hue_of_the_background_to_the_class() {
    let tied = Options { rho: 1.0, images_per_class: Some(6), ..Options::default() };
    let free = Options { rho: 0.0, ..tied.clone() };
    // How well the mean hues of one class agree: length of the mean direction, 1 = all the same.
    let agreement = |style: Style, options: &Options| -> f64 {
        let pictures = pictures(style, Split::Train, options);
        let of_class = |class: usize| {
            let (mut across, mut up) = (0.0, 0.0);
            for number in 0..6 {
                let picture = pictures.decode(class * 6 + number).unwrap();
                let mut corner = [0.0_f32; 3];
                for (x, y) in (0..40).map(|x| (x, 0)).chain((1..14).map(|y| (0, y))) {
                    for (sum, byte) in corner.iter_mut().zip(picture.get_pixel(x, y).0) {
                        *sum += f32::from(byte);
                    }
                }
                let angle = f64::from(turns(corner)) * std::f64::consts::TAU;
                across += angle.cos() / 6.0;
                up += angle.sin() / 6.0;
            }
            across.hypot(up)
        };
        (0..12).map(of_class).sum::<f64>() / 12.0
    };
    for style in Style::ALL {
        let with_cue = agreement(style, &tied);
        assert!(with_cue > 0.8, "{style} {with_cue}");
    }
    let without = agreement(Style::Art, &free);
    assert!(without < 0.6, "{without}");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let said = |result: Result<Task>| result.map(|_| ()).unwrap_err().to_string();
    let usual = Options::default();
    assert_eq!(
        said(task("ClRw", &usual)),
        "expected a task as SOURCE-TARGET, found 'ClRw'\n  \
         what to do: write Cl-Rw for Clipart to Real_World; the domains are Ar, Cl, Pr, Rw"
    );
    assert!(said(task("Cl-Rx", &usual)).contains("found 'Rx'\n  what to do: did you mean 'Rw'?"));
    assert!(said(task("Cl-Clipart", &usual)).contains("which is Clipart twice"));
    let rho = Options { rho: 1.5, ..usual };
    assert!(said(task("Cl-Rw", &rho)).contains("expected a probability from 0 to 1, found 1.5"));
    for count in [0, usize::MAX] {
        let options = Options { images_per_class: Some(count), ..Options::default() };
        assert!(said(task("Cl-Rw", &options)).contains("expected 1 to 10000"));
    }
    let art = MiniHome::new(Style::Art, Split::Test, &Options::default()).unwrap();
    let message = art.decode(180).unwrap_err().to_string();
    assert!(message.contains("expected an index below 180, found 180"), "{message}");
}

#[test]
fn pictures_repeat_themselves_and_the_splits_share_none() {
    let train = PretrainingPictures::new(Split::Train, 1);
    let validation = PretrainingPictures::new(Split::Test, 1);
    assert_eq!((train.len(), validation.len()), (20_000, 4_000));
    assert_eq!((train.label(19_999), validation.label(3_999)), (399, 399));
    let first = train.decode(50 * 7).unwrap();
    assert_eq!(first, train.decode(50 * 7).unwrap());
    assert_ne!(first, validation.decode(10 * 7).unwrap());
    assert_ne!(first, PretrainingPictures::new(Split::Train, 2).decode(50 * 7).unwrap());
}

#[test]
fn every_class_can_be_drawn_and_is_no_empty_picture() {
    let pictures = PretrainingPictures::new(Split::Test, 1);
    for class in 0..400 {
        let picture = pictures.decode(10 * class).unwrap();
        let bytes: Vec<f64> = picture.iter().map(|byte| f64::from(*byte)).collect();
        let mean = bytes.iter().sum::<f64>() / bytes.len() as f64;
        let variance = bytes.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 4800.0;
        assert!(variance.sqrt() > 3.0, "{} {variance}", pictures.name(10 * class));
    }
}

#[test]
fn an_index_too_large_is_an_error() {
    let message = PretrainingPictures::new(Split::Test, 1).decode(4_000).unwrap_err().to_string();
    assert!(message.contains("expected an index below 4000, found 4000"), "{message}");
}

#[test]
fn pictures_whose_background_gives_the_class_away_have_a_name_of_their_own() {
    let open = |data: &str| {
        let config = RunConfig { data: data.parse().unwrap(), ..RunConfig::mini() };
        open_task(&config.check().unwrap()).unwrap().source.pictures
    };
    let (free, tied) = (open("mini"), open("mini:80"));
    let changed =
        (0..480).filter(|index| free.decode(*index).unwrap() != tied.decode(*index).unwrap()).count();
    assert!((340..430).contains(&changed), "80 % of 480: {changed}");
    assert_eq!(free.mask(7).unwrap(), tied.mask(7).unwrap());
    let data: DataSource = "mini:80".parse().unwrap();
    assert_eq!((data.to_string(), data.short_name()), ("mini:80".into(), "mini-80".into()));
    let message = "mini:101".parse::<DataSource>().unwrap_err().to_string();
    assert!(message.contains("expected mini, mini:PERCENT") && message.contains("'mini:101'"), "{message}");
}
