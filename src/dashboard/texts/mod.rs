//! The message catalog: every text of the pages, in each language.
//!
//! A text is a method of [`Language`]. [`texts!`](self) declares it with all its translations, so a missing translation, or
//! a missing or misspelled argument, does not compile. Each page has a file here. Markup, such as a time, takes the place
//! of `{{}}` (see `words::fill`).

mod advice;
mod files;
mod frame;
mod live;
mod operator;
mod problems;
mod provider_lists;
mod providers;
mod reports;
mod search;
mod session;
mod set_up;
mod stream;
mod webhooks;

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The language tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The name of the language, in itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// The best language by the request's `Accept-Language`.
    pub fn accepted(request: &HttpRequest) -> Self {
        let accepted = AcceptLanguage::parse(request).map(|accepted| accepted.ranked()).unwrap_or_default();
        let known = accepted.iter().find_map(|one| match one.item()?.primary_language() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        });
        known.unwrap_or(Self::English)
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(tag: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|language| language.tag() == tag).ok_or(())
    }
}

/// Declares texts: `name(argument: Type): "English", "Chinese";`.
macro_rules! texts {
    ($($name:ident $(($($argument:ident: $type:ty),+))?: $english:literal, $chinese:literal;)+) => {
        impl $crate::dashboard::texts::Language {
            $(
                pub fn $name(self $($(, $argument: $type)+)?) -> String {
                    match self {
                        Self::English => format!($english),
                        Self::Chinese => format!($chinese),
                    }
                }
            )+
        }
    };
}
use texts;
