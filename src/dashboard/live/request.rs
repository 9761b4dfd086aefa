//! What the page Live was asked for, and links to it with other parameters.

use crate::api::page::PageRequest;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::dashboard::{ROOT, words};
use crate::model::filter::LiveFilter;
use crate::model::parameter::{Parameters, one_of};
use crate::model::session::LiveOrder;
use crate::query::live::SessionKind;
use crate::store::live::AfterSession;

/// Rows of a page.
const PAGE_ROWS: u16 = 200;

/// A list of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Live,
    Ended,
    All,
}

impl Tab {
    pub const ALL: [Self; 3] = [Self::Live, Self::Ended, Self::All];

    /// The value of `show`; the first tab has none.
    pub fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Live => None,
            Self::Ended => Some("ended"),
            Self::All => Some("all"),
        }
    }

    fn read(query: &mut QueryReader) -> Self {
        let expected = one_of(&["ended", "all"]);
        let tab = |text: &str| Self::ALL.into_iter().find(|tab| tab.parameter() == Some(text));
        query.parse("show", &expected, tab).unwrap_or(Self::Live)
    }
}

type Parameter<'a> = (&'static str, Option<&'a str>);

pub struct LivePage {
    pub page: PageRequest<AfterSession>,
    pub tab: Tab,
    /// The list of live sessions has only the unconfirmed ones.
    pub unconfirmed: bool,
    pub order: LiveOrder,
    pub filter: LiveFilter,
}

impl FromQuery for LivePage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let has_limit = query.has("limit");
        let mut page = PageRequest::from_query(query);
        if !has_limit {
            page.limit = PAGE_ROWS;
        }
        Self {
            page,
            tab: Tab::read(query),
            unconfirmed: query.get("unconfirmed").unwrap_or_default(),
            order: query.get("sort").unwrap_or_default(),
            filter: read_names(query),
        }
    }
}

/// The filters of the page.
pub fn read_names(query: &mut QueryReader) -> LiveFilter {
    LiveFilter {
        domain: query.string("domain"),
        app: query.string("app"),
        search: query.string("search"),
        renditions: None,
    }
}

/// A path with these filters.
pub fn filtered_path(path: &str, filter: &LiveFilter) -> String {
    words::path(path, &names_of(filter))
}

fn names_of(filter: &LiveFilter) -> [Parameter<'_>; 3] {
    [("domain", filter.domain.as_deref()), ("app", filter.app.as_deref()), ("search", filter.search.as_deref())]
}

impl LivePage {
    pub fn kind(&self) -> SessionKind {
        match self.tab {
            Tab::Live if self.unconfirmed => SessionKind::Unconfirmed(self.order),
            Tab::Live => SessionKind::Live(self.order),
            Tab::Ended => SessionKind::Ended,
            Tab::All => SessionKind::All,
        }
    }

    pub fn is_filtered(&self) -> bool {
        self.unconfirmed || self.filter != LiveFilter::default()
    }

    /// The parameters that choose the list.
    pub fn list_parameters(&self) -> [Parameter<'static>; 3] {
        let sort = (self.order != LiveOrder::default()).then(|| self.order.as_str());
        [("show", self.tab.parameter()), ("unconfirmed", self.unconfirmed.then_some("true")), ("sort", sort)]
    }

    /// The first page of the list, with some parameters changed.
    pub fn link<'a>(&'a self, changed: &[(&'a str, Option<&'a str>)]) -> String {
        let known = self.list_parameters().into_iter().chain(names_of(&self.filter)).chain([("cursor", None)]);
        let change = |name: &str| changed.iter().find(|(changed, _)| *changed == name);
        let parameters: Vec<_> = known.map(|(name, value)| change(name).copied().unwrap_or((name, value))).collect();
        words::path(ROOT, &parameters)
    }

    /// A path of the API with the same filters.
    pub fn api_path(&self, path: &str) -> String {
        filtered_path(path, &self.filter)
    }

    pub fn kiosk_link(&self, path: &str) -> String {
        filtered_path(path, &self.filter)
    }
}
