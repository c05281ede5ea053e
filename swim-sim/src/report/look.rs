//! How the series of a chart are told apart: a colour and a shape for each, either of which
//! suffices.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

/// What is drawn upon.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The outcome of drawing.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// Okabe and Ito's colours, which are distinct to all kinds of colour vision; without their yellow,
/// which is too faint on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// The corners of the shapes in pixels from the centre, y downwards; a circle comes before them.
const SHAPES: [&[(i32, i32)]; 5] = [
    &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
    &[(0, -6), (5, 4), (-5, 4)],
    &[(0, -6), (6, 0), (0, 6), (-6, 0)],
    &[(0, 6), (5, -4), (-5, -4)],
    &[(-6, 0), (-2, -2), (0, -6), (2, -2), (6, 0), (2, 2), (0, 6), (-2, 2)],
];

const LINE_WIDTH: u32 = 2;

/// The length of dashes and of the gaps between them, in pixels.
const DASH: i32 = 7;

/// How one series looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    colour: RGBColor,
    /// Corners, or none of a circle.
    shape: Option<&'static [(i32, i32)]>,
    dashed: bool,
}

impl Look {
    /// The look of the `index`-th series. There are as many as colours times shapes.
    pub(super) fn of(index: usize, dashed: bool) -> Self {
        let shape = index % (SHAPES.len() + 1);
        Self {
            colour: COLOURS[index % COLOURS.len()],
            shape: shape.checked_sub(1).map(|index| SHAPES[index]),
            dashed,
        }
    }

    /// Draws a line through pixels of `area`.
    pub(super) fn line(self, area: &Area<'_>, path: &[(i32, i32)]) -> Drawn {
        let style = self.colour.stroke_width(LINE_WIDTH);
        if self.dashed {
            area.draw(&DashedPathElement::new(path.iter().copied(), DASH, DASH, style))
        } else {
            area.draw(&PathElement::new(path.to_vec(), style))
        }
    }

    /// Draws the marker at a pixel of `area`: filled, or hollow on a dashed line.
    pub(super) fn marker(self, area: &Area<'_>, (x, y): (i32, i32)) -> Drawn {
        let fill = if self.dashed { WHITE } else { self.colour };
        let outline = self.colour.stroke_width(LINE_WIDTH);
        let Some(corners) = self.shape else {
            area.draw(&Circle::new((x, y), 5, fill.filled()))?;
            return area.draw(&Circle::new((x, y), 4, outline));
        };
        let mut path: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area.draw(&Polygon::new(path.clone(), fill.filled()))?;
        // Once round, and along the first side again for the corner's sake.
        path.extend_from_within(..2);
        area.draw(&PathElement::new(path, outline))
    }
}
