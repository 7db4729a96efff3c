"""What pages, API and command line call: one class per noun, composed in `Services`."""
