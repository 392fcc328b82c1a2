"""The works of the book: what each is, how it was made, from what, and the page that shows them."""
