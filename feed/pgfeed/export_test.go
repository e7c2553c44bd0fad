package pgfeed

// PartRows is for tests of large transactions.
const PartRows = partRows
