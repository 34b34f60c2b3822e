"""Administration: api (the rules' one door), socket, and pchatctl with one module a noun."""
