"""Find clips by what happens in them."""

from hoiset.filter.predicates import filter_names as filter_names
from hoiset.filter.predicates import select as select
from hoiset.filter.query import Query as Query
from hoiset.filter.query import Where as Where
from hoiset.filter.query import parse as parse
from hoiset.filter.scan import ClipIndex as ClipIndex
from hoiset.filter.scan import select_index as select_index
