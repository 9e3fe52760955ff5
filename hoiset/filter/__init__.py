"""Find clips by what happens in them."""

from hoiset.filter.predicates import select as select
