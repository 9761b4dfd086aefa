//! What the page Live was asked for, and links to it with other parameters.

use crate::api::page::PageRequest;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::dashboard::ROOT;
use crate::dashboard::links::{self, unless_default};
use crate::model::closed_set;
use crate::model::filter::LiveFilter;
use crate::model::parameter::Parameters;
use crate::model::session::LiveOrder;
use crate::query::live::SessionKind;
use crate::store::live::AfterSession;

/// Rows of a page.
const PAGE_ROWS: u16 = 200;

closed_set! {
    /// A list of the page.
    #[derive(Default)]
    pub enum Tab {
        #[default]
        Live,
        Ended,
        All,
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
            tab: query.get("show").unwrap_or_default(),
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
    links::with(path, &names_of(filter))
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
        let unconfirmed = self.unconfirmed.then_some("true");
        [("show", unless_default(self.tab)), ("unconfirmed", unconfirmed), ("sort", unless_default(self.order))]
    }

    /// The first page of the list, with some parameters changed.
    pub fn link<'a>(&'a self, changed: &[(&'a str, Option<&'a str>)]) -> String {
        let known = self.list_parameters().into_iter().chain(names_of(&self.filter)).chain([("cursor", None)]);
        let change = |name: &str| changed.iter().find(|(changed, _)| *changed == name);
        let parameters: Vec<_> = known.map(|(name, value)| change(name).copied().unwrap_or((name, value))).collect();
        links::with(ROOT, &parameters)
    }
}
