import { testStreams } from './streams.ts';

testStreams();
