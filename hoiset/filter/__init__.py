"""Find clips by what happens in them."""

from hoiset.filter.select import select as select
