"""What commands show, as lines of text. Pure: nothing here asks Redis or prints."""
