//! A plan, for people and for programs. All of them are made from one [`View`],
//! in which nothing is left that must not be shown.

pub mod html;
pub mod json;
mod summary;
pub mod text;
mod view;

pub use self::{
    summary::Summary,
    view::{ObjectView, PruneView, View},
};
